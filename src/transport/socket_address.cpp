#include "transport/socket_address.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "transport/host_port.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::size_t kUnixPathBytesMax = 107;  // of sockaddr_un

Result<SocketAddress> parse_unix(std::string_view text) {
  std::string path;
  for (const char c : text.substr(kUnix.size())) {
    if (c != '/' || !path.ends_with('/')) {
      path += c;
    }
  }
  if (!path.starts_with('/') || path.ends_with('/')) {
    return fail(Errc::bad_config, "the path must be absolute, as in unix:/run/dex-lock.sock");
  }
  if (path.size() > kUnixPathBytesMax) {
    return fail(Errc::bad_config,
                fmt::format("the path of a socket has at most {} bytes", kUnixPathBytesMax));
  }
  return SocketAddress{.kind = SocketAddress::Kind::unix_socket,
                       .path = std::move(path),
                       .host = {},
                       .shown = std::string(text)};
}

// `text` begins with tcp:// or tls://.
Result<SocketAddress> parse_tcp(std::string_view text, SocketAddress::Kind kind) {
  const auto split = split_host_port(text.substr(6));
  if (!split) {
    return fail(Errc::bad_config, fmt::format("write {}://HOST:PORT or {}://[V6ADDRESS]:PORT",
                                              text.substr(0, 3), text.substr(0, 3)));
  }
  if (const auto fault = host_fault(split->host, split->bracketed); !fault.empty()) {
    return fail(Errc::bad_config, fault);
  }
  const auto port = split->port ? parse_port(*split->port) : std::nullopt;
  if (!port) {
    return fail(Errc::bad_config, fmt::format("a port from 1 to {} must follow the host, as in "
                                              "{}://HOST:7411",
                                              kPortMax, text.substr(0, 3)));
  }
  return SocketAddress{.kind = kind,
                       .path = {},
                       .host = std::string(split->host),
                       .port = *port,
                       .shown = std::string(text)};
}

}  // namespace

Result<SocketAddress> parse_socket_address(std::string_view text) {
  std::string scheme(text.substr(0, 6));
  std::ranges::transform(scheme, scheme.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (scheme.starts_with(kUnix)) {
    return parse_unix(text);
  }
  if (scheme == "tcp://") {
    return parse_tcp(text, SocketAddress::Kind::tcp);
  }
  if (scheme == "tls://") {
    return parse_tcp(text, SocketAddress::Kind::tls);
  }
  return fail(Errc::bad_config, "write unix:/PATH, tcp://HOST:PORT or tls://HOST:PORT");
}

bool is_loopback(const SocketAddress& address) {
  if (address.kind == SocketAddress::Kind::unix_socket || address.host == "localhost") {
    return true;
  }
  boost::system::error_code ec;
  const auto parsed = boost::asio::ip::make_address(address.host, ec);
  return !ec && parsed.is_loopback();
}

}  // namespace dexlock
