// `dex-lock failover`: packages that run on one of several hosts.
//
// Threads: one.
#pragma once

#include <span>
#include <string>

namespace dexlock {

[[nodiscard]] int failover_command(std::span<const std::string> words);

}  // namespace dexlock
