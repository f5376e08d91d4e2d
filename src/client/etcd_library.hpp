// The plugin that talks gRPC, loaded when an etcd server is configured (system/plugin.hpp).
//
// Threads: any.
#pragma once

#include <memory>

#include "dexlock/error.hpp"
#include "etcd/service.hpp"

namespace dexlock {

// bad_config: it is not there, and what to do.
[[nodiscard]] Result<std::unique_ptr<EtcdService>> make_etcd_service(
    const EtcdService::Options& options);

}  // namespace dexlock
