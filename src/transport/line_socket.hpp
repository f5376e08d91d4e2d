// A socket that carries lines, plain or under TLS; the client's end or the server's.
//
// Invariants:  on_end comes exactly once, after everything else, unless stop() came first; after
//              stop() nothing comes. Memory is bounded: one line in, kSocketQueueMax bytes out.
// Threads:     every call on the thread that runs the io_context; callbacks come from its run(),
//              never from inside a call to this class. A callback may call anything here, and may
//              destroy it.
// Never does:  block, raise SIGPIPE, interpret a line, connect again, wait for a handshake longer
// than
//              kHandshakeLimit or for a peer that has vanished longer than about a minute.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dexlock/error.hpp"
#include "transport/socket_address.hpp"
#include "transport/tls_context.hpp"

namespace boost::asio {
class io_context;
}

namespace dexlock {

// The longest line taken, without its newline. More than any message of the protocol.
constexpr std::size_t kSocketLineMax = 32 * 1024;
// What may wait for a peer that does not read.
constexpr std::size_t kSocketQueueMax = std::size_t{8} * 1024 * 1024;

// From the connection to both sides having shown their certificates.
constexpr std::chrono::seconds kHandshakeLimit{10};

class LineSocket {
 public:
  struct Handlers {
    // Connected, and under TLS both sides have shown their certificates.
    std::function<void()> on_open;
    // One line without its newline. The view ends with the call.
    std::function<void(std::string_view line)> on_line;
    // All that was written is on its way.
    std::function<void()> on_sent;
    // no text: the peer closed the connection.
    std::function<void(const std::optional<Error>&)> on_end;
  };

  // `tls` where the address says so.
  static std::unique_ptr<LineSocket> connect(boost::asio::io_context& io,
                                             const SocketAddress& address, TlsContext tls,
                                             Handlers handlers);
  // A connection that was accepted. on_open still comes.
  static std::unique_ptr<LineSocket> adopt(boost::asio::io_context& io,
                                           boost::asio::generic::stream_protocol::socket socket,
                                           TlsContext tls, Handlers handlers);
  LineSocket(const LineSocket&) = delete;
  LineSocket& operator=(const LineSocket&) = delete;
  ~LineSocket();  // as stop()

  // Queues bytes, in order; all of one turn of the loop leave together, at its end. More than
  // kSocketQueueMax unsent bytes end the connection.
  void write(std::string_view bytes);
  [[nodiscard]] std::size_t unsent() const;

  // While held, no line comes, and the peer is made to wait.
  void hold_reading(bool hold);

  // The common name in the peer's certificate; empty without TLS.
  [[nodiscard]] std::string peer_name() const;

  void stop();

 private:
  class Impl;
  explicit LineSocket(std::shared_ptr<Impl> impl);

  std::shared_ptr<Impl> impl_;
};

}  // namespace dexlock
