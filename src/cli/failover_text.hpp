// What is known of packages, as `dex-lock failover status` and the dashboard show it.
//
// Threads: plain values.
#pragma once

#include <map>
#include <string>

#include "failover/cluster_view.hpp"

namespace dexlock {

// In a word or two: what a host does with a package, what operators want of it.
[[nodiscard]] std::string state_text(const HostView& host);
[[nodiscard]] std::string wanted_text(const ControlRecord& control);

// A table: a line for each package and host.
[[nodiscard]] std::string failover_table(const std::map<std::string, PackageView>& views);

// docs/json.md.
[[nodiscard]] std::string failover_json(const std::map<std::string, PackageView>& views);

}  // namespace dexlock
