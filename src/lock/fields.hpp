// What the text formats share: putting texts and numbers together, splitting at one separator, and
// numbers with a limit.
//
// Threads: pure functions.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dexlock {

inline void append_part(std::string& out, char part) { out += part; }
inline void append_part(std::string& out, std::string_view part) { out += part; }
template <std::integral Number>
void append_part(std::string& out, Number part) {
  std::array<char, 20> digits;
  out.append(digits.data(), std::to_chars(digits.begin(), digits.end(), part).ptr);
}

// Texts, single bytes, and numbers in decimal, one behind the other.
template <class... Parts>
void append(std::string& out, const Parts&... parts) {
  (append_part(out, parts), ...);
}

using Fields = std::vector<std::string_view>;

// The parts between the separators; one empty part for an empty text. `limit` bounds the parts.
inline std::optional<Fields> split_fields(std::string_view text, char separator,
                                          std::size_t limit) {
  Fields parts;
  parts.reserve(std::min<std::size_t>(limit, 16));
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
