// What tells a guard, and all that it has started, from other processes: kept in a file of the
// package's directory for a supervisor that finds the guard hung or gone and cannot ask it. A guard
// that ends well takes it away.
//
// Threads: any.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dexlock/error.hpp"
#include "process/process_stat.hpp"

namespace dexlock {

struct GuardTrace {
  bool operator==(const GuardTrace&) const = default;

  std::string mark;   // PackageTree::mark()
  std::string group;  // PackageTree::group_path()
};

// Of a guard of this boot; a file that says so already is not written. io.
[[nodiscard]] Result<void> leave_trace(const std::filesystem::path& directory,
                                       const GuardTrace& trace);
// There is nothing left that would need it. `mark`: if it is of that guard, empty: of any.
void forget_trace(const std::filesystem::path& directory, const std::string& mark = "");
[[nodiscard]] std::optional<GuardTrace> read_trace(const std::filesystem::path& directory);

// What the guard has below it.
[[nodiscard]] std::vector<ProcessStat> processes_of(const GuardTrace& trace);
// SIGKILL to the guard, and waits until it is gone. False: it is there still.
[[nodiscard]] bool kill_guard(const GuardTrace& trace);

}  // namespace dexlock
