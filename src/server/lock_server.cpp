#include "server/lock_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <unordered_map>
#include <utility>

#include "server/job_gathering.hpp"
#include "server/listener.hpp"
#include "server/lock_log.hpp"
#include "server/status_thread.hpp"
#include "server/store_turns.hpp"
#include "transport/line_socket.hpp"
#include "wire/reply_line.hpp"

namespace dexlock {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::chrono::seconds kStopLimit{3};  // for replies to leave

std::string_view transport_word(SocketAddress::Kind kind) {
  switch (kind) {
    case SocketAddress::Kind::tcp:
      return "tcp";
    case SocketAddress::Kind::tls:
      return "tls";
    default:
      return "unix";
  }
}

struct Connection {
  std::unique_ptr<LineSocket> socket;
  SocketAddress::Kind kind{};
  bool open = false;
  std::string client;       // from its certificate
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
        gathered_(loop, [this](std::vector<Job> jobs) { take_turn(std::move(jobs)); }),
        store_(options_.store, std::move(store),
               {.watches = options_.limits.watches,
                .watches_of_one = options_.limits.requests,
                .news_bytes = options_.limits.unread_bytes},
               {.changes = static_cast<bool>(options_.on_lock),
                .requests = options_.on_lock && options_.log_requests}) {
    board_.write([&](ServerMetrics& metrics) {
      metrics.version = options_.version;
      metrics.started =
          std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
              .count();
      metrics.connections_limit = options_.limits.connections;
    });
  }
  ~Server() override { *alive_ = false; }

  Result<void> listen() {
    for (const SocketAddress& address : options_.listen) {
      auto listener = Listener::open(
          loop_, address,
          {.on_connection = [this,
                             kind = address.kind](auto socket) { take(std::move(socket), kind); },
           .on_trouble =
               [this](const std::string& why) {
                 refused("system");
                 complain(fmt::format(
                     "cannot take a connection: {}; raise ulimit -n or lower --connections", why));
               }});
      if (!listener) {
        return std::unexpected(listener.error());
      }
      listeners_.push_back(std::move(*listener));
    }
    if (options_.metrics) {
      auto pages = StatusThread::open(*options_.metrics, board_, [this, alive = alive_](Job job) {
        asio::post(loop_, [this, alive, job = std::move(job)] {
          if (*alive) {
            gathered_.add(job);
          }
        });
      });
      if (!pages) {
        return std::unexpected(pages.error());
      }
      pages_ = std::move(*pages);
      tell(fmt::format("metrics on {}", options_.metrics->shown));
    }
    for (const SocketAddress& address : options_.listen) {
      tell(fmt::format("listening on {}", address.shown));
    }
    return {};
  }

  void stop(std::function<void()> done) override {
    stopped_ = std::move(done);
    if (pages_) {
      pages_->tell([](ServerStatus& status) { status.stopping(); });
    }
    for (const auto& listener : listeners_) {
      listener->close();
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

  void refused(std::string_view why) {
    board_.write([&](ServerMetrics& metrics) { ++metrics.connections_refused[why]; });
  }

  void take(asio::generic::stream_protocol::socket socket, SocketAddress::Kind kind) {
    const bool tls = kind == SocketAddress::Kind::tls;
    if (connections_.size() >= options_.limits.connections) {
      refuse(std::move(socket), tls);
      return;
    }
    board_.write([&](ServerMetrics& metrics) {
      ++metrics.connections_taken[transport_word(kind)];
      ++metrics.connections[transport_word(kind)];
    });
    const ConnectionId id = ++last_id_;
    Connection& connection = connections_[id];
    connection.kind = kind;
    connection.socket = LineSocket::adopt(
        loop_, std::move(socket), tls ? tls_ : nullptr,
        {.on_open =
             [this, id] {
               Connection& opened = connections_.at(id);
               opened.open = true;
               opened.client = opened.socket->peer_name();
               gathered_.add({id, Greet{}});
             },
         .on_line = [this, id](std::string_view line) { on_line(id, line); },
         .on_sent = [this, id] { let_read(id); },
         .on_end = [this, id](const std::optional<Error>& why) { on_end(id, why); }});
  }

  void on_end(ConnectionId id, const std::optional<Error>& why) {
    if (why) {
      if (connections_.at(id).open) {
        board_.write([](ServerMetrics& metrics) { ++metrics.connections_failed; });
      } else {
        refused("tls");
      }
      tell("connection ended: " + why->text);
    }
    forget(id);
    try_stop();
  }

  void refuse(asio::generic::stream_protocol::socket socket, bool tls) {
    refused("limit");
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
      board_.write([](ServerMetrics& metrics) { ++metrics.requests_refused["unreadable"]; });
      connection.socket->write(reply_line(refusal(parsed.error())) + '\n');
      return;
    }
    if (const std::string denied = denial(connection, *parsed); !denied.empty()) {
      board_.write([](ServerMetrics& metrics) { ++metrics.requests_refused["denied"]; });
      if (options_.on_lock) {
        options_.on_lock(line_of_denial(parsed->line, connection.client));
      }
      connection.socket->write(reply_line({parsed->id, Fault{FaultKind::denied, denied}}) + '\n');
      return;
    }
    gathered_.add({id, std::move(*parsed)});
    ++connection.waiting;
    ++waiting_;
    if (connection.waiting >= options_.limits.requests ||
        connection.socket->unsent() >= options_.limits.unread_bytes) {
      connection.socket->hold_reading(true);
    }
  }

  [[nodiscard]] std::string denial(const Connection& connection,
                                   const NumberedRequest& request) const {
    if (!options_.permissions || connection.kind != SocketAddress::Kind::tls) {
      return {};
    }
    const std::string* key = lock_of(request.line);
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

  void take_turn(std::vector<Job> jobs) {
    board_.write([&](ServerMetrics& metrics) { metrics.requests_waiting = waiting_; });
    board_.store_called();
    const Done done = store_.take(std::move(jobs));
    board_.store_answered();
    on_done(done);
  }

  void on_done(const Done& done) {
    std::ranges::for_each(done.log, [&](const std::string& line) { options_.on_lock(line); });
    for (const auto& [id, said] : done.said) {
      const auto at = connections_.find(id);
      if (at == connections_.end()) {
        continue;
      }
      at->second.waiting -= said.replies;
      waiting_ -= said.replies;
      at->second.socket->write(said.text);
      if (!said.news.empty() && at->second.socket->unsent() < options_.limits.unread_bytes) {
        at->second.socket->write(said.news);
      }
      if (said.end) {
        refused("store");
        complain("a client was refused: " + said.text.substr(0, said.text.size() - 1));
        at->second.socket->hold_reading(true);
        ending_.push_back(id);
      }
      let_read(id);
    }
    note(done);
    try_stop();
  }

  void note(const Done& done) {
    board_.write([&](ServerMetrics& metrics) {
      metrics.requests_waiting = waiting_;
      count(done, metrics);
      if (done.probed) {  // somebody wants to know
        metrics.unsent_bytes = unsent();
      }
    });
    if (done.probed) {
      pages_->tell([probed = *done.probed](ServerStatus& status) { status.on_probed(probed); });
    }
    if (done.counted) {
      pages_->tell([slice = *done.counted](ServerStatus& status) { status.on_counted(slice); });
    }
  }

  [[nodiscard]] std::size_t unsent() const {
    std::size_t bytes = 0;
    for (const auto& [id, connection] : connections_) {
      bytes += connection.socket->unsent();
    }
    return bytes;
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
    const auto at = connections_.find(id);
    waiting_ -= at->second.waiting;
    board_.write(
        [&](ServerMetrics& metrics) { --metrics.connections[transport_word(at->second.kind)]; });
    connections_.erase(at);
    gathered_.add({id, Gone{}});  // behind what it asked
  }

  void try_stop() {
    if (!stopped_ || !gathered_.empty()) {
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
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unordered_map<ConnectionId, Connection> connections_;
  std::vector<ConnectionId> ending_;  // once they have heard why
  ConnectionId last_id_ = 0;
  std::size_t waiting_ = 0;  // requests of all connections
  std::function<void()> stopped_;
  asio::steady_timer stopping_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // touched on the loop only
  StatusBoard board_;
  std::unique_ptr<StatusThread> pages_;  // if there are any
  JobGathering gathered_;
  StoreTurns store_;  // last: the pages stay up while it ends
};

}  // namespace

Result<std::unique_ptr<LockServer>> LockServer::open(asio::io_context& loop,
                                                     LockServerOptions options) {
  TlsContext tls;
  if (options.tls) {
    auto made = make_tls(TlsSide::server, *options.tls);
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
