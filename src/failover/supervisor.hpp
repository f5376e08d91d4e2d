// Keeps a package of this host, among the supervisors of the other hosts.
//
//   supervisor -- cluster_watch, placement      what other hosts and operators say
//       |      -- event_log                     what is told to people
//   package_driver -- package_machine           pure: what to do
//       |                                       by way of
//   guard_orders, guard_watch -- guard_link
//                                    :          a socket, and another process
//   guard --------------------- supervisor_line
//       |-- guarded_lease                       holds the lock, feeds the watchdog
//       |-- guarded_run -- job, package_tree    runs what the supervisor wants
//       `-- last_will -- job, package_tree      stops the package when nobody is left to ask
//
// Threads: one; the watch of the other hosts has its own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "dexlock/error.hpp"
#include "failover/package_settings.hpp"

namespace dexlock {

struct SupervisorOptions {
  PackageSettings settings;
  std::filesystem::path directory;         // of this package on this host; exists
  std::string host;                        // its name
  std::vector<std::string> guard_program;  // words that start a guard
  std::vector<std::string> own_program;    // words that start this supervisor again
};

// Returns when the package is to be kept here no more. Signals: TERM and INT stop the package, hand
// it over and end; HUP and USR1 read the settings again; USR2 looks at the other hosts now; QUIT
// starts this program again, under which the package goes on. Errors: held_by_other (another
// supervisor has it), io.
[[nodiscard]] Result<void> supervise(SupervisorOptions options);

}  // namespace dexlock
