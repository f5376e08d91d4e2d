// What `dex-lock failover status` prints.
//
// Threads: plain values.
#pragma once

#include <map>
#include <string>

#include "failover/cluster_view.hpp"

namespace dexlock {

// A table: a line for each package and host.
[[nodiscard]] std::string failover_table(const std::map<std::string, PackageView>& views);

// docs/json.md.
[[nodiscard]] std::string failover_json(const std::map<std::string, PackageView>& views);

}  // namespace dexlock
