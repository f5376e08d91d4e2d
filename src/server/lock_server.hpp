// The native lock server: many connections on sockets, one store.
//
// The event loop calls the store. What the connections have sent while it waited for the disk is
// read before its next turn, and shares one commit.
//
// Invariants:  a reply leaves only after what it depends on is durable. Memory per connection is
//              bounded (ServerLimits); who does not read what it asked for is not read from.
// Threads:     all calls on the thread that runs the event loop; the pages for an operator are on a
//              thread of their own, which is waited for at the end.
// Never does:  answer anybody but the operator while the store hangs.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dexlock/error.hpp"
#include "server/name_permissions.hpp"
#include "transport/socket_address.hpp"
#include "transport/tls_context.hpp"

namespace boost::asio {
class io_context;
}

namespace dexlock {

struct ServerLimits {
  std::size_t connections = 10'000;
  std::size_t requests = 1'024;  // of one connection that wait for their replies; and watches
  std::size_t unread_bytes = 1024 * 1024;  // of replies, then no more of its requests are read
  std::size_t watches = 100'000;           // of all connections
};

struct LockServerOptions {
  std::filesystem::path store;
  std::vector<SocketAddress> listen;
  std::optional<TlsFiles> tls;                 // needed where one of `listen` is tls
  std::optional<NamePermissions> permissions;  // of those who come with a certificate
  ServerLimits limits;
  std::optional<SocketAddress> metrics;  // HTTP: GET /metrics and GET /health
  std::string version;
  // Each one line for the operator; may be empty. They must not wait for anybody.
  std::function<void(const std::string&)> on_news;
  std::function<void(const std::string&)> on_trouble;
  std::function<void(const std::string&)> on_lock;  // as in lock_log.hpp: changes, and refusals
  bool log_requests = false;                        // on_lock hears of every request as well
};

class LockServer {
 public:
  // Opens the store and listens.
  //   bad_config  an address cannot be used, another server answers there, a file of TLS is wrong
  //   the store's own errors
  static Result<std::unique_ptr<LockServer>> open(boost::asio::io_context& loop,
                                                  LockServerOptions options);
  LockServer(const LockServer&) = delete;
  LockServer& operator=(const LockServer&) = delete;
  virtual ~LockServer() = default;

  // Takes no more requests; what was taken is answered. `done` comes from the loop.
  virtual void stop(std::function<void()> done) = 0;

 protected:
  LockServer() = default;
};

}  // namespace dexlock
