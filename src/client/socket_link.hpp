// The link to a native lock server that listens on a socket: unix, tcp or tls.
//
// Threads: as Link.
#pragma once

#include <memory>

#include "client/link.hpp"
#include "transport/socket_address.hpp"
#include "transport/tls_context.hpp"

namespace boost::asio {
class io_context;
}

namespace dexlock {

// `tls`: used where the address says so; an error is told when the link is opened.
[[nodiscard]] std::unique_ptr<Link> make_socket_link(boost::asio::io_context& loop,
                                                     SocketAddress address, Result<TlsContext> tls,
                                                     Link::Handlers handlers);

}  // namespace dexlock
