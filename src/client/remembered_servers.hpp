// The configured servers as one text, by which this host remembers which group they led to.
//
// Threads: pure function.
#pragma once

#include <string>

#include "client/config.hpp"

namespace dexlock {

// The same for the same servers in another order.
[[nodiscard]] std::string remembered_servers(const Config& config);

}  // namespace dexlock
