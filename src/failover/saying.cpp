#include "failover/saying.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>

namespace dexlock {

void say_bytes(std::string_view bytes) {
  constexpr std::size_t kPipeTakes = 2048;  // what fits for sure where there is room at all
  while (!bytes.empty()) {
    pollfd to{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&to, 1, 0) != 1 || (to.revents & POLLOUT) == 0) {
      return;
    }
    const std::string_view part = bytes.substr(0, kPipeTakes);
    if (::write(STDERR_FILENO, part.data(), part.size()) < 0) {
      return;
    }
    bytes.remove_prefix(part.size());
  }
}

void say(const std::string& line) {
  std::string text = "dex-lock: " + line;
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < ' ' || c == 0x7F; }, ' ');
  say_bytes(text + '\n');
}

}  // namespace dexlock
