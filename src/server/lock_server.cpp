#include "server/lock_server.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <unordered_map>
#include <utility>

#include "server/socket_file.hpp"
#include "server/store_thread.hpp"
#include "transport/line_socket.hpp"
#include "wire/reply_line.hpp"

namespace dexlock {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::chrono::milliseconds kAcceptPause{100};  // after a refusal by the system
constexpr std::chrono::seconds kStopLimit{3};           // for replies to leave

struct Connection {
  std::unique_ptr<LineSocket> socket;
  std::string client;       // from its certificate
  bool certified = false;   // it came over TLS
  std::size_t waiting = 0;  // requests without their replies
};

class Server final : public LockServer {
 public:
  Server(asio::io_context& loop, LockServerOptions options, TlsContext tls,
         std::shared_ptr<EmbeddedStore> store)
      : loop_(loop),
        options_(std::move(options)),
        tls_(std::move(tls)),
        stopping_(loop),
        store_(options_.store, std::move(store),
               {.watches = options_.limits.watches,
                .watches_of_one = options_.limits.requests,
                .news_bytes = options_.limits.unread_bytes},
               [this, alive = alive_](AllSaid all) {
                 asio::post(loop_, [this, alive, all = std::move(all)] {
                   if (*alive) {
                     on_said(all);
                   }
                 });
               }) {}
  ~Server() override { *alive_ = false; }

  Result<void> listen() {
    for (const SocketAddress& address : options_.listen) {
      auto done = address.kind == SocketAddress::Kind::unix_socket ? listen_unix(address)
                                                                   : listen_tcp(address);
      if (!done) {
        return done;
      }
      tell(fmt::format("listening on {}", address.shown));
    }
    return {};
  }

  void stop(std::function<void()> done) override {
    stopped_ = std::move(done);
    for (const auto& close : close_listeners_) {
      close();
    }
    for (auto& [id, connection] : connections_) {
      connection.socket->hold_reading(true);
    }
    stopping_.expires_after(kStopLimit);
    stopping_.async_wait([this, alive = alive_](const error_code& ec) {
      if (*alive && !ec) {
        finish_stop();
      }
    });
    try_stop();
  }

 private:
  void tell(const std::string& news) const {
    if (options_.on_news) {
      options_.on_news(news);
    }
  }

  void complain(const std::string& trouble) const {
    if (options_.on_trouble) {
      options_.on_trouble(trouble);
    }
  }

  static Error cannot_listen(const SocketAddress& address, const std::string& why) {
    return Error{Errc::bad_config, fmt::format("cannot listen on {}: {}", address.shown, why)};
  }

  Result<void> listen_tcp(const SocketAddress& address) {
    error_code ec;
    asio::ip::tcp::resolver resolver(loop_);
    const auto found = resolver.resolve(address.host, std::to_string(address.port),
                                        asio::ip::resolver_base::passive, ec);
    if (ec || found.empty()) {
      return std::unexpected(cannot_listen(address, ec.message()));
    }
    const asio::ip::tcp::endpoint endpoint = *found.begin();
    auto acceptor = std::make_shared<asio::ip::tcp::acceptor>(loop_);
    acceptor->open(endpoint.protocol(), ec);
    if (!ec) {
      acceptor->set_option(asio::socket_base::reuse_address(true), ec);
      acceptor->bind(endpoint, ec);
    }
    return begin_to_accept(address, acceptor, ec);
  }

  Result<void> listen_unix(const SocketAddress& address) {
    auto file = SocketFile::claim(address.path);
    if (!file) {
      return std::unexpected(cannot_listen(address, file.error().text));
    }
    error_code ec;
    const asio::local::stream_protocol::endpoint endpoint(address.path);
    auto acceptor = std::make_shared<asio::local::stream_protocol::acceptor>(loop_);
    acceptor->open(endpoint.protocol(), ec);
    if (!ec) {
      const mode_t before = ::umask(0177);  // for this user alone
      acceptor->bind(endpoint, ec);
      ::umask(before);
    }
    if (!ec) {
      sockets_.push_back(std::move(*file));
    }
    return begin_to_accept(address, acceptor, ec);
  }

  template <class Acceptor>
  Result<void> begin_to_accept(const SocketAddress& address, std::shared_ptr<Acceptor> acceptor,
                               error_code ec) {
    if (!ec) {
      acceptor->listen(asio::socket_base::max_listen_connections, ec);
    }
    if (ec) {
      return std::unexpected(cannot_listen(address, ec.message()));
    }
    close_listeners_.emplace_back([acceptor] {
      error_code ignored;
      acceptor->close(ignored);
    });
    accept(std::move(acceptor), address.kind == SocketAddress::Kind::tls);
    return {};
  }

  template <class Acceptor>
  void accept(std::shared_ptr<Acceptor> acceptor, bool tls) {
    acceptor->async_accept([this, alive = alive_, acceptor, tls](const error_code& ec,
                                                                 auto socket) {
      if (!*alive || !acceptor->is_open()) {
        return;
      }
      if (!ec) {
        take(asio::generic::stream_protocol::socket(std::move(socket)), tls);
        accept(acceptor, tls);
        return;
      }
      complain(fmt::format("cannot take a connection: {}; raise ulimit -n or lower --connections",
                           ec.message()));
      auto pause = std::make_shared<asio::steady_timer>(loop_, kAcceptPause);
      pause->async_wait([this, alive, acceptor, tls, pause](const error_code&) {
        if (*alive && acceptor->is_open()) {
          accept(acceptor, tls);
        }
      });
    });
  }

  void take(asio::generic::stream_protocol::socket socket, bool tls) {
    if (connections_.size() >= options_.limits.connections) {
      refuse(std::move(socket), tls);
      return;
    }
    const ConnectionId id = ++last_id_;
    Connection& connection = connections_[id];
    connection.certified = tls;
    connection.socket =
        LineSocket::adopt(loop_, std::move(socket), tls ? tls_ : nullptr,
                          {.on_open =
                               [this, id] {
                                 Connection& opened = connections_.at(id);
                                 opened.client = opened.socket->peer_name();
                                 collected_.push_back({id, Greet{}});
                                 hand_over();
                               },
                           .on_line = [this, id](std::string_view line) { on_line(id, line); },
                           .on_pause = [this] { hand_over(); },
                           .on_sent = [this, id] { let_read(id); },
                           .on_end =
                               [this, id](const std::optional<Error>& why) {
                                 if (why) {
                                   tell("connection ended: " + why->text);
                                 }
                                 forget(id);
                                 try_stop();
                               }});
  }

  void refuse(asio::generic::stream_protocol::socket socket, bool tls) {
    complain(fmt::format("refused a connection: there are {} already; raise --connections",
                         connections_.size()));
    if (!tls) {  // a client under TLS would take it for noise
      const std::string line =
          trouble_line(Error{Errc::io, "too many connections; try again later"});
      error_code ignored;
      socket.non_blocking(true, ignored);
      socket.send(asio::buffer(line), 0, ignored);
    }
  }

  void on_line(ConnectionId id, std::string_view line) {
    Connection& connection = connections_.at(id);
    auto parsed = parse_request_line(line);
    if (!parsed) {
      connection.socket->write(reply_line(refusal(parsed.error())) + '\n');
      return;
    }
    if (const std::string denied = denial(connection, *parsed); !denied.empty()) {
      connection.socket->write(reply_line({parsed->id, Fault{FaultKind::denied, denied}}) + '\n');
      return;
    }
    collected_.push_back({id, std::move(*parsed)});
    ++connection.waiting;
    if (connection.waiting >= options_.limits.requests ||
        connection.socket->unsent() >= options_.limits.unread_bytes) {
      connection.socket->hold_reading(true);
    }
  }

  [[nodiscard]] std::string denial(const Connection& connection,
                                   const NumberedRequest& request) const {
    if (!options_.permissions || !connection.certified) {
      return {};
    }
    const auto* asked = std::get_if<KeyRequest>(&request.line);
    const auto* watched = std::get_if<Watch>(&request.line);
    const std::string* key = asked != nullptr     ? &asked->key
                             : watched != nullptr ? &watched->key
                                                  : nullptr;
    if (key != nullptr && !options_.permissions->may_use(connection.client, *key)) {
      return fmt::format("the certificate of {} does not permit the lock {}",
                         connection.client.empty() ? "nobody" : connection.client, *key);
    }
    if (std::holds_alternative<ListKeys>(request.line) &&
        !options_.permissions->may_list(connection.client)) {
      return fmt::format("the certificate of {} does not permit all locks", connection.client);
    }
    return {};
  }

  void hand_over() {
    if (!collected_.empty()) {
      store_.put(std::exchange(collected_, {}));
    }
  }

  void on_said(const AllSaid& all) {
    for (const auto& [id, said] : all) {
      const auto at = connections_.find(id);
      if (at == connections_.end()) {
        continue;
      }
      at->second.waiting -= said.replies;
      at->second.socket->write(said.text);
      if (!said.news.empty() && at->second.socket->unsent() < options_.limits.unread_bytes) {
        at->second.socket->write(said.news);
      }
      if (said.end) {
        complain("a client was refused: " + said.text.substr(0, said.text.size() - 1));
        at->second.socket->hold_reading(true);
        ending_.push_back(id);
      }
      let_read(id);
    }
    try_stop();
  }

  // Reads on once the client has taken half of what it may leave lying about.
  void let_read(ConnectionId id) {
    const auto at = connections_.find(id);
    if (at == connections_.end()) {
      return;
    }
    LineSocket& socket = *at->second.socket;
    if (std::erase(ending_, id) > 0) {
      if (socket.unsent() > 0) {
        ending_.push_back(id);
      } else {
        forget(id);
      }
      return;
    }
    if (!stopped_ && at->second.waiting <= options_.limits.requests / 2 &&
        socket.unsent() <= options_.limits.unread_bytes / 2) {
      socket.hold_reading(false);
    }
    try_stop();
  }

  void forget(ConnectionId id) {
    connections_.erase(id);
    collected_.push_back({id, Gone{}});  // behind what it asked
    hand_over();
  }

  void try_stop() {
    if (!stopped_ || !collected_.empty()) {
      return;
    }
    for (const auto& [id, connection] : connections_) {
      if (connection.waiting > 0 || connection.socket->unsent() > 0) {
        return;
      }
    }
    finish_stop();
  }

  void finish_stop() {
    if (auto stopped = std::exchange(stopped_, nullptr)) {
      stopping_.cancel();
      asio::post(loop_, [this, alive = alive_, stopped = std::move(stopped)] {
        if (*alive) {
          connections_.clear();
          stopped();
        }
      });
    }
  }

  asio::io_context& loop_;
  LockServerOptions options_;
  TlsContext tls_;
  std::vector<std::function<void()>> close_listeners_;
  std::vector<SocketFile> sockets_;
  std::unordered_map<ConnectionId, Connection> connections_;
  std::vector<ConnectionId> ending_;  // once they have heard why
  ConnectionId last_id_ = 0;
  std::vector<Job> collected_;  // since the store's thread was given something
  std::function<void()> stopped_;
  asio::steady_timer stopping_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // touched on the loop only
  StoreThread store_;                                           // last: its thread ends first
};

}  // namespace

Result<std::unique_ptr<LockServer>> LockServer::open(asio::io_context& loop,
                                                     LockServerOptions options) {
  TlsContext tls;
  if (options.tls) {
    auto made = make_server_tls(*options.tls);
    if (!made) {
      return std::unexpected(made.error());
    }
    tls = std::move(*made);
  }
  auto store = EmbeddedStore::open({.path = options.store});
  if (!store) {
    return std::unexpected(store.error());
  }
  auto server =
      std::make_unique<Server>(loop, std::move(options), std::move(tls), std::move(*store));
  if (auto done = server->listen(); !done) {
    return std::unexpected(done.error());
  }
  return server;
}

}  // namespace dexlock
