// What tells a guard, and all that it has started, from other processes: kept in a file of the
// package's directory for a supervisor that finds the guard hung and cannot ask it.
//
// Threads: any.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace dexlock {

struct GuardTrace {
  std::string mark;   // PackageTree::mark()
  std::string group;  // PackageTree::group_path()
};

// Of a guard of this boot.
void leave_trace(const std::filesystem::path& directory, const GuardTrace& trace);
[[nodiscard]] std::optional<GuardTrace> read_trace(const std::filesystem::path& directory);

// SIGKILL to the guard, and waits until it is gone. False: it is there still.
[[nodiscard]] bool kill_guard(const GuardTrace& trace);

}  // namespace dexlock
