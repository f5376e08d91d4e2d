// What operators want of packages, asked for on the command line or on the dashboard.
//
// Threads: any; each call opens connections of its own, and blocks until it is done or its limit
// has passed.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "dexlock/error.hpp"
#include "failover/cluster_view.hpp"

namespace dexlock {

using PackageViews = std::map<std::string, PackageView>;
enum class Running { no, yes };
enum class Maintenance { off, on };

// Of the packages that have locks of this pattern. no_quorum: what can be seen may be old.
[[nodiscard]] Result<PackageViews> look_at_packages(const std::string& pattern);
// Looks again for a moment, until all hosts that seem to be there have given a sign of life. Where
// a lock server is slow, only once.
[[nodiscard]] Result<PackageViews> watch_packages(const std::string& pattern);
[[nodiscard]] Result<PackageView> look_at_package(const std::string& package);

// Stored for all hosts; what comes of it is seen by looking. Errors: those of change_control().
[[nodiscard]] Result<void> want_running(const std::string& package, Running running);
[[nodiscard]] Result<void> want_maintenance(const std::string& package, Maintenance maintenance);
// To a host; empty: to any other one. From where; nothing: it is there already. held_by_other: no
// supervisor is there to take it, or nobody has it.
[[nodiscard]] Result<std::optional<std::string>> want_moved(const std::string& package,
                                                            const std::string& to);

}  // namespace dexlock
