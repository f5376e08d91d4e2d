// Small readers shared by the text formats: splitting at one separator, and numbers with a limit.
//
// Threads: pure functions.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace dexlock {

// The parts between the separators; one empty part for an empty text. `limit` bounds the parts.
inline std::optional<std::vector<std::string_view>> split_fields(std::string_view text,
                                                                 char separator,
                                                                 std::size_t limit) {
  std::vector<std::string_view> parts;
  while (true) {
    if (parts.size() == limit) {
      return std::nullopt;
    }
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(at + 1);
  }
}

// A decimal number from 0 to `max`, written the one canonical way.
inline std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > max) {
    return std::nullopt;
  }
  if (text.size() > 1 && text.front() == '0') {
    return std::nullopt;
  }
  return value;
}

inline constexpr std::uint64_t kSmallNumberMax = (std::uint64_t{1} << 31) - 1;

}  // namespace dexlock
