#include "client/client_context.hpp"

#include <algorithm>
#include <vector>

namespace dexlock {

Result<ClientContext> ClientContext::load() {
  auto config = load_config(standard_config_places());
  if (!config) {
    return std::unexpected(config.error());
  }
  auto paths = local_paths();
  if (!paths) {
    return std::unexpected(paths.error());
  }
  std::vector<std::string> entries;
  for (const ServerEntry& entry : config->servers) {
    entries.push_back(entry.shown);
  }
  std::ranges::sort(entries);
  std::string servers = config->remote_path + '\n';
  for (const std::string& entry : entries) {
    servers += entry + '\n';
  }
  HostMemory memory(paths->state_dir, servers);
  return ClientContext{std::move(*config), std::move(*paths), std::move(memory)};
}

}  // namespace dexlock
