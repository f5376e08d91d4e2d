#include "transport/printable_line.hpp"

namespace dexlock {

std::string printable_line(std::string_view text, std::size_t bytes_max) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      continue;
    }
    if (out.size() == bytes_max) {
      return out + "...";
    }
    out += byte < 0x80 ? c : '?';
  }
  return out;
}

}  // namespace dexlock
