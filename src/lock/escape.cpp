#include "lock/escape.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kUpperHex = "0123456789ABCDEF";

constexpr bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '@' || c == '/' || c == '+' || c == '-';
}

int digit_value(char c) {
  const auto at = kUpperHex.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

std::string escape_text(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  for (const char c : raw) {
    if (is_plain(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kUpperHex[byte >> 4U];
    out += kUpperHex[byte & 15U];
  }
  return out;
}

std::optional<std::string> unescape_text(std::string_view escaped) {
  std::string out;
  out.reserve(escaped.size());
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (is_plain(escaped[i])) {
      out += escaped[i];
      continue;
    }
    if (escaped[i] != '%' || i + 2 >= escaped.size()) {
      return std::nullopt;
    }
    const int high = digit_value(escaped[i + 1]);
    const int low = digit_value(escaped[i + 2]);
    if (high < 0 || low < 0) {
      return std::nullopt;
    }
    const char c = static_cast<char>(high * 16 + low);
    if (is_plain(c)) {
      return std::nullopt;  // not canonical: two texts for one value would break comparisons
    }
    out += c;
    i += 2;
  }
  return out;
}

}  // namespace dexlock
