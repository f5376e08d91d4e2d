#include "dexlock/client.hpp"

#include "client/connections.hpp"

namespace dexlock {

Result<Client> Client::connect() {
  const auto context = ClientContext::load();
  if (!context) {
    return std::unexpected(context.error());
  }
  return Client(Connections::of(*context));
}

}  // namespace dexlock
