// Takes connections on one address for as long as it lives.
//
// Invariants:  after close() nothing is called. Where the system refuses a connection it pauses
//              instead of asking again at once.
// Threads:     all on the thread that runs the event loop.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "dexlock/error.hpp"
#include "server/socket_file.hpp"
#include "transport/socket_address.hpp"

namespace boost::asio {
class io_context;
}

namespace dexlock {

class Listener {
 public:
  struct Handlers {
    std::function<void(boost::asio::generic::stream_protocol::socket)> on_connection;
    std::function<void(const std::string& why)> on_trouble;  // the system refused one
  };

  // bad_config: it cannot be used, or another server answers there.
  static Result<std::unique_ptr<Listener>> open(boost::asio::io_context& loop,
                                                const SocketAddress& address, Handlers handlers);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();  // removes the name of a unix socket

  void close() { close_(); }

 private:
  Listener(std::function<void()> close, std::optional<SocketFile> file)
      : close_(std::move(close)), file_(std::move(file)) {}

  std::function<void()> close_;
  std::optional<SocketFile> file_;
};

}  // namespace dexlock
