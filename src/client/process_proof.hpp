// Proof that a process of this machine has ended. Only what cannot be mistaken counts: the same
// boot and pid namespace, and either no process of that number or one that began at another time. A
// process that is hidden, or that we may not look at, is no proof; nor is a zombie, whose threads
// may still be running.
//
// Threads: any.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "process/process_stat.hpp"

namespace dexlock {

// Names one process and no later one, on this machine and others.
struct ProcessMark {
  std::string boot;           // of the machine, hexadecimal digits
  std::string pid_namespace;  // its number, and that of the time namespace
  pid_t pid{};
  std::uint64_t start{};  // clock ticks after boot
  friend bool operator==(const ProcessMark&, const ProcessMark&) = default;
};

// `BOOT-NAMESPACE-PID-START`: letters, digits and dashes.
[[nodiscard]] std::string mark_text(const ProcessMark& mark);
[[nodiscard]] std::optional<ProcessMark> parse_mark(std::string_view text);

// What is seen from here.
struct ProcessView {
  std::string boot;
  std::string pid_namespace;
  std::function<int(pid_t)> probe;  // 0: there is a process of that number; else errno
  std::function<std::optional<ProcessStat>(pid_t)> stat;  // nothing: not to be seen
};
[[nodiscard]] ProcessView view_of_processes();

// Of this process. Nothing where /proc does not show it as it is.
[[nodiscard]] std::optional<ProcessMark> own_mark(const ProcessView& view = view_of_processes());

[[nodiscard]] bool is_proven_gone(const ProcessMark& mark,
                                  const ProcessView& view = view_of_processes());

}  // namespace dexlock
