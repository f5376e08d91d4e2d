// What tells a guard, and all that it has started, from other processes: kept in a file of the
// package's directory for a supervisor that finds the guard hung and cannot ask it.
//
// Threads: any.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "process/process_stat.hpp"

namespace dexlock {

struct GuardTrace {
  std::string mark;   // PackageTree::mark()
  std::string group;  // PackageTree::group_path()
};

// Of a guard of this boot.
void leave_trace(const std::filesystem::path& directory, const GuardTrace& trace);
[[nodiscard]] std::optional<GuardTrace> read_trace(const std::filesystem::path& directory);

// What the guard has below it.
[[nodiscard]] std::vector<ProcessStat> processes_of(const GuardTrace& trace);
// SIGKILL to the guard, and waits until it is gone. False: it is there still.
[[nodiscard]] bool kill_guard(const GuardTrace& trace);

}  // namespace dexlock
