#include "server/listener.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

namespace dexlock {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::chrono::milliseconds kAcceptPause{100};  // after a refusal by the system

std::unexpected<Error> cannot_listen(const SocketAddress& address, const std::string& why) {
  return fail(Errc::bad_config, fmt::format("cannot listen on {}: {}", address.shown, why));
}

// Its handlers are called only while the acceptor is open.
template <class Acceptor>
void accept(std::shared_ptr<Acceptor> acceptor, std::shared_ptr<Listener::Handlers> handlers) {
  acceptor->async_accept([acceptor, handlers](const error_code& ec, auto socket) {
    if (!acceptor->is_open()) {
      return;
    }
    if (!ec) {
      handlers->on_connection(asio::generic::stream_protocol::socket(std::move(socket)));
      accept(acceptor, handlers);
      return;
    }
    handlers->on_trouble(ec.message());
    auto pause = std::make_shared<asio::steady_timer>(acceptor->get_executor(), kAcceptPause);
    pause->async_wait([acceptor, handlers, pause](const error_code&) {
      if (acceptor->is_open()) {
        accept(acceptor, handlers);
      }
    });
  });
}

// Bound and listening, with what closes it.
template <class Acceptor>
Result<std::function<void()>> begin(asio::io_context& loop, const SocketAddress& address,
                                    const typename Acceptor::endpoint_type& endpoint,
                                    Listener::Handlers handlers) {
  auto acceptor = std::make_shared<Acceptor>(loop);
  error_code ec;
  acceptor->open(endpoint.protocol(), ec);
  if (!ec) {
    if (address.kind != SocketAddress::Kind::unix_socket) {
      acceptor->set_option(asio::socket_base::reuse_address(true), ec);
    }
    const mode_t before = ::umask(0177);  // a unix socket is for this user alone
    acceptor->bind(endpoint, ec);
    ::umask(before);
  }
  if (!ec) {
    acceptor->listen(asio::socket_base::max_listen_connections, ec);
  }
  if (ec) {
    return cannot_listen(address, ec.message());
  }
  accept(acceptor, std::make_shared<Listener::Handlers>(std::move(handlers)));
  return [acceptor] {
    error_code ignored;
    acceptor->close(ignored);
  };
}

}  // namespace

Result<std::unique_ptr<Listener>> Listener::open(asio::io_context& loop,
                                                 const SocketAddress& address, Handlers handlers) {
  std::optional<SocketFile> file;
  Result<std::function<void()>> close;
  if (address.kind == SocketAddress::Kind::unix_socket) {
    auto claimed = SocketFile::claim(address.path);
    if (!claimed) {
      return cannot_listen(address, claimed.error().text);
    }
    file.emplace(std::move(*claimed));
    close = begin<asio::local::stream_protocol::acceptor>(loop, address, address.path,
                                                          std::move(handlers));
  } else {
    error_code ec;
    asio::ip::tcp::resolver resolver(loop);
    const auto found = resolver.resolve(address.host, std::to_string(address.port),
                                        asio::ip::resolver_base::passive, ec);
    if (ec || found.empty()) {
      return cannot_listen(address, ec.message());
    }
    close = begin<asio::ip::tcp::acceptor>(loop, address, found.begin()->endpoint(),
                                           std::move(handlers));
  }
  if (!close) {
    return std::unexpected(close.error());
  }
  return std::unique_ptr<Listener>(new Listener(std::move(*close), std::move(file)));
}

Listener::~Listener() { close_(); }

}  // namespace dexlock
