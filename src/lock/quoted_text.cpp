#include "lock/quoted_text.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kLowerHex = "0123456789abcdef";

void append_shown(std::string& out, char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (c == '\n') {
    out += "\\n";
  } else if (c == '\t') {
    out += "\\t";
  } else if (c == '"' || c == '\\') {
    out += '\\';
    out += c;
  } else if (byte < 0x20 || byte >= 0x7f) {
    out += "\\x";
    out += kLowerHex[byte >> 4U];
    out += kLowerHex[byte & 15U];
  } else {
    out += c;
  }
}

}  // namespace

std::string quoted_text(std::string_view raw, std::size_t bytes_max) {
  std::string out = "\"";
  for (const char c : raw.substr(0, bytes_max)) {
    append_shown(out, c);
  }
  out += raw.size() > bytes_max ? "\"..." : "\"";
  return out;
}

}  // namespace dexlock
