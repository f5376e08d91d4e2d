#include "client/client_context.hpp"

#include <utility>

#include "client/remembered_servers.hpp"

namespace dexlock {

Result<ClientContext> ClientContext::load(const ConfigPlaces& places) {
  auto config = load_config(places);
  if (!config) {
    return std::unexpected(config.error());
  }
  auto paths = local_paths();
  if (!paths) {
    return std::unexpected(paths.error());
  }
  HostMemory memory(paths->state_dir, remembered_servers(*config));
  return ClientContext{std::move(*config), std::move(*paths), std::move(memory)};
}

}  // namespace dexlock
