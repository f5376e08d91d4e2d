// What the kernel tells about a process in /proc/PID/stat.
//
// The second field is the command in parentheses and may itself hold blanks, parentheses and
// newlines: the fields behind it are found from the last ')'.
//
// Threads: any.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dexlock {

// Bits of `flags` (linux/sched.h; part of the kernel's interface by being printed there for ever).
inline constexpr std::uint64_t kForkedWithoutExec = 0x40;
inline constexpr std::uint64_t kKernelThread = 0x00200000;

struct ProcessStat {
  pid_t pid{};
  std::string command;  // at most 15 bytes of any kind
  char state = '?';     // Z, X: it has ended
  pid_t parent{};       // 0: none in this pid namespace
  pid_t session{};
  std::uint64_t flags{};
  std::uint64_t start{};  // clock ticks after boot: with the pid, one process and no later one
};

std::optional<ProcessStat> parse_process_stat(std::string_view text);

// Nothing: no such process, or hidden from this user.
std::optional<ProcessStat> read_process_stat(pid_t pid);
std::optional<ProcessStat> read_own_stat();

}  // namespace dexlock
