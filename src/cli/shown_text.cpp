#include "cli/shown_text.hpp"

#include <fmt/format.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <array>

namespace dexlock {
namespace {

bool continues(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U;
}

// U+0080 to U+009F are control characters, too; U+200E to U+202E turn the writing round.
bool is_obeyed(std::string_view character) {
  const auto first = static_cast<unsigned char>(character.front());
  if (character.size() == 1) {
    return first < ' ' || first == 0x7f;
  }
  const auto second = static_cast<unsigned char>(character[1]);
  const auto third = character.size() > 2 ? static_cast<unsigned char>(character[2]) : 0;
  return (first == 0xc2 && second < 0xa0) ||
         (first == 0xe2 && second == 0x80 && third >= 0x8b && third <= 0xae) ||
         (first == 0xe2 && second == 0x81 && third >= 0xa0);
}

}  // namespace

std::size_t character_bytes(std::string_view text) {
  const auto first = text.empty() ? 0U : static_cast<unsigned char>(text.front());
  if (first < 0x80) {
    return text.empty() ? 0 : 1;
  }
  const std::size_t bytes = first >= 0xc2 && first < 0xe0   ? 2
                            : first >= 0xe0 && first < 0xf0 ? 3
                            : first >= 0xf0 && first < 0xf5 ? 4
                                                            : 0;
  for (std::size_t at = 1; at < bytes; ++at) {
    if (!continues(text, at)) {
      return 0;
    }
  }
  const auto second = bytes > 0 ? static_cast<unsigned char>(text[1]) : 0U;
  const bool longer_than_needed =
      (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool no_character = (first == 0xed && second >= 0xa0) || (first == 0xf4 && second >= 0x90);
  return longer_than_needed || no_character ? 0 : bytes;
}

bool speaks_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = ::getenv(name);
    if (value != nullptr && *value != '\0') {
      std::string upper(value);
      std::ranges::transform(upper, upper.begin(),
                             [](char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; });
      return upper.contains("UTF-8") || upper.contains("UTF8");
    }
  }
  return false;
}

std::string shown_text(std::string_view raw, bool utf8) {
  std::string out;
  while (!raw.empty()) {
    const std::size_t bytes = character_bytes(raw);
    const std::string_view character = raw.substr(0, std::max<std::size_t>(bytes, 1));
    const bool shown = bytes > 0 && (utf8 || bytes == 1) && !is_obeyed(character);
    out += shown ? character : "?";
    raw.remove_prefix(character.size());
  }
  return out;
}

std::string shown_lines(std::string_view raw, bool utf8) {
  std::string out;
  while (!raw.empty()) {
    const std::string_view line = raw.substr(0, raw.find('\n'));
    out += shown_text(line, utf8) + '\n';
    raw.remove_prefix(std::min(line.size() + 1, raw.size()));
  }
  return out;
}

std::string cut_text(std::string_view text, std::size_t columns) {
  std::string out;
  for (std::size_t column = 0; column < columns && !text.empty(); ++column) {
    const std::size_t bytes = std::max<std::size_t>(character_bytes(text), 1);
    out += text.substr(0, bytes);
    text.remove_prefix(bytes);
  }
  return out;
}

std::string shown_time(const std::optional<std::chrono::nanoseconds>& time) {
  if (!time) {
    return "-";
  }
  const double seconds = std::chrono::duration<double>(*time).count();
  if (seconds < 0.01) {
    return fmt::format("{:.2f} ms", seconds * 1e3);
  }
  if (seconds < 1) {
    return fmt::format("{:.0f} ms", seconds * 1e3);
  }
  if (seconds < 120) {
    return fmt::format("{:.1f} s", seconds);
  }
  return seconds < 7200 ? fmt::format("{:.0f} min", seconds / 60)
                        : fmt::format("{:.0f} h", seconds / 3600);
}

std::string shown_bytes(const std::optional<std::uint64_t>& bytes) {
  if (!bytes) {
    return "-";
  }
  constexpr std::array<const char*, 6> kUnits{"B", "kB", "MB", "GB", "TB", "PB"};
  auto amount = static_cast<double>(*bytes);
  std::size_t unit = 0;
  for (; amount >= 1000 && unit + 1 < kUnits.size(); ++unit) {
    amount /= 1000;
  }
  return fmt::format("{:.{}f} {}", amount, unit == 0 || amount >= 100 ? 0 : 1, kUnits.at(unit));
}

std::string shown_moment(const std::optional<std::chrono::milliseconds>& moment) {
  if (!moment) {
    return "-";
  }
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(*moment).count();
  std::tm parts{};
  std::array<char, 32> text{};
  if (::localtime_r(&seconds, &parts) == nullptr ||
      ::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts) == 0) {
    return "-";
  }
  return text.data();
}

}  // namespace dexlock
