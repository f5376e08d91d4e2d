// Where a lock server listens, on this machine or another.
//
//   unix:/PATH           a socket of this machine
//   tcp://HOST:PORT      unprotected: anybody on the way can read and change what is said
//   tls://HOST:PORT      both sides show certificates
//
// Threads: plain values, a pure function.
#pragma once

#include <string>
#include <string_view>

#include "dexlock/error.hpp"

namespace dexlock {

struct SocketAddress {
  enum class Kind { unix_socket, tcp, tls };

  Kind kind{};
  std::string path;  // unix_socket: absolute
  std::string host;  // an IPv6 address without brackets
  int port = 0;
  std::string shown;  // as written

  friend bool operator==(const SocketAddress&, const SocketAddress&) = default;
};

// bad_config: what is wrong with it.
[[nodiscard]] Result<SocketAddress> parse_socket_address(std::string_view text);

// Nothing but this machine can reach it.
[[nodiscard]] bool is_loopback(const SocketAddress& address);

}  // namespace dexlock
