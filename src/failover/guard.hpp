// The guard of a package on this host: a process of its own that holds the package's lease and is
// the parent of all that the package's commands start. Its supervisor tells it what to do; without
// one it keeps the lease for a while, so that a supervisor can be replaced, and then stops the
// package. When the lease ends it stops the package whoever is there.
//
// The supervisor watches the guard in turn: if that is gone it stops the package itself.
//
// Invariants:  commands of a package that may start something run only under the lease;
//              the lease is given up only when the supervisor says so, or the package is stopped.
// Threads:     one; the lease has its own.
#pragma once

#include <filesystem>

#include "system/unique_fd.hpp"

namespace dexlock {

struct PackageGuardOptions {
  std::filesystem::path directory;  // of the package on this host
  UniqueFd listener;                // where supervisors call
};

// Returns the exit status, when there is nothing more to guard.
[[nodiscard]] int guard_package(PackageGuardOptions options);

}  // namespace dexlock
