// What is known of packages, locks and lock servers, as text for Prometheus.
//
// Threads: reads the clock; else pure.
#pragma once

#include <string>
#include <vector>

#include "dexlock/inspection.hpp"

namespace dexlock {

[[nodiscard]] std::string failover_metrics(const ServersSight& servers,
                                           const std::vector<LockSight>& locks);

}  // namespace dexlock
