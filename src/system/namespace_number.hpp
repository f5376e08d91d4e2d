// Which namespace of a kind ("pid", "time") this process is in: a pid, or a start time, from
// another one means something else here.
//
// Threads: any.
#pragma once

#include <unistd.h>

#include <array>
#include <string>

namespace dexlock {

// Its number, in digits; nothing: the kernel has none of that kind, or /proc does not show it.
[[nodiscard]] inline std::string namespace_number(const std::string& kind) {
  std::array<char, 64> link{};
  const ssize_t length = ::readlink(("/proc/self/ns/" + kind).c_str(), link.data(), link.size());
  std::string text(link.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  std::erase_if(text, [](char c) { return c < '0' || c > '9'; });
  return text;
}

// That of pids; 0 where there is none.
[[nodiscard]] inline std::string pid_namespace() {
  const std::string number = namespace_number("pid");
  return number.empty() ? "0" : number;
}

}  // namespace dexlock
