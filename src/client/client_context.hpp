// What every client call needs first: the configuration, this user's places, and what this host
// remembers of the configured servers.
//
// Threads: plain value.
#pragma once

#include <string>

#include "client/cluster.hpp"
#include "client/config.hpp"
#include "client/host_memory.hpp"
#include "client/local_paths.hpp"
#include "dexlock/error.hpp"

namespace dexlock {

struct ClientContext {
  Config config;
  LocalPaths paths;
  HostMemory memory;

  [[nodiscard]] static Result<ClientContext> load(
      const ConfigPlaces& places = standard_config_places());

  [[nodiscard]] ClusterOptions cluster_options() const {
    return {.config = config, .remembered_group = memory.group(), .etcd_file = memory.etcd_file()};
  }
};

}  // namespace dexlock
