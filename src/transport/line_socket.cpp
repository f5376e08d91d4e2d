#include "transport/line_socket.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace dexlock {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Plain = asio::generic::stream_protocol::socket;

constexpr std::size_t kSocketReadChunk = 8 * 1024;

// A peer whose machine has vanished sends no word of it: the kernel asks, and gives up. All of it
// is refused by a unix socket, whose peer cannot vanish so.
void end_when_peer_vanishes(Plain& socket) {
  constexpr int kOn = 1;
  constexpr int kIdleSeconds = 30;
  constexpr int kBetweenSeconds = 10;
  constexpr int kUnansweredMax = 3;
  constexpr int kUnacknowledgedMs = 60'000;
  const auto set = [fd = socket.native_handle()](int level, int option, int value) {
    ::setsockopt(fd, level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, kOn);
  set(IPPROTO_TCP, TCP_KEEPIDLE, kIdleSeconds);
  set(IPPROTO_TCP, TCP_KEEPINTVL, kBetweenSeconds);
  set(IPPROTO_TCP, TCP_KEEPCNT, kUnansweredMax);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, kUnacknowledgedMs);
}

bool is_end(const error_code& ec) {
  return ec == asio::error::eof || ec == asio::error::connection_reset ||
         ec == asio::error::broken_pipe;
}

}  // namespace

// Kept alive by its pending operations.
class LineSocket::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, std::string shown, TlsContext tls, Handlers handlers)
      : io_(io),
        shown_(std::move(shown)),
        tls_(std::move(tls)),
        handlers_(std::make_shared<Handlers>(std::move(handlers))),
        resolver_(io),
        connecting_(io),
        handshake_limit_(io),
        socket_(io) {}

  void connect(const SocketAddress& address) {
    host_ = address.host;
    if (address.kind == SocketAddress::Kind::unix_socket) {
      connect_unix(address.path);
      return;
    }
    resolver_.async_resolve(
        address.host, std::to_string(address.port), asio::ip::resolver_base::numeric_service,
        [self = shared_from_this()](const error_code& ec, const auto& found) {
          if (self->ended_) {
            return;
          }
          if (ec) {
            self->end(Error{Errc::io, "its name cannot be resolved: " + ec.message()});
            return;
          }
          asio::async_connect(self->connecting_, found,
                              [self](const error_code& refused, const auto&) {
                                if (!self->ended_) {
                                  self->on_connected(refused);
                                }
                              });
        });
  }

  void adopt(Plain socket) { start(std::move(socket)); }

  void write(std::string_view bytes) {
    if (ended_) {
      return;
    }
    if (unsent() + bytes.size() > kSocketQueueMax) {
      end_later(Error{Errc::io, fmt::format("does not read what it asked for: {} MB wait for it",
                                            kSocketQueueMax >> 20U)});
      return;
    }
    queued_ += bytes;
    if (open_ && sending_.empty() && !std::exchange(flushing_, true)) {
      asio::post(io_, [self = shared_from_this()] {
        self->flushing_ = false;
        self->send();
      });
    }
  }

  [[nodiscard]] std::size_t unsent() const {
    return queued_.size() + sealed_.size() + sending_.size();
  }

  void hold_reading(bool hold) {
    if (std::exchange(held_, hold) == hold) {
      return;
    }
    if (!held_ && open_ && !ended_) {
      asio::post(io_, [self = shared_from_this()] { self->tell_lines(); });
    }
  }

  [[nodiscard]] std::string peer_name() const {
    return secure_ ? secure_->peer_name() : std::string();
  }

  void stop() {
    handlers_.reset();
    close();
  }

 private:
  void connect_unix(const std::string& path) {
    asio::local::stream_protocol::endpoint endpoint;
    try {
      endpoint = asio::local::stream_protocol::endpoint(path);
    } catch (const boost::system::system_error&) {
      end_later(Error{Errc::bad_config, "the path of a socket has at most 107 bytes"});
      return;
    }
    auto socket = std::make_shared<asio::local::stream_protocol::socket>(io_);
    socket->async_connect(endpoint, [self = shared_from_this(), socket](const error_code& ec) {
      if (self->ended_) {
        return;
      }
      if (ec) {
        self->end(Error{Errc::io, "cannot be reached: " + ec.message()});
        return;
      }
      self->start(Plain(std::move(*socket)));
    });
  }

  void on_connected(const error_code& ec) {
    if (ec) {
      end(Error{Errc::io, "cannot be reached: " + ec.message()});
      return;
    }
    start(Plain(std::move(connecting_)));
  }

  void start(Plain socket) {
    error_code ignored;
    socket_ = std::move(socket);
    socket_.non_blocking(true, ignored);
    ::fcntl(socket_.native_handle(), F_SETFD, FD_CLOEXEC);
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);  // refused by a unix socket
    end_when_peer_vanishes(socket_);
    if (!tls_) {
      asio::post(io_, [self = shared_from_this()] { self->opened(); });
      return;
    }
    secure_ = tls_->begin(host_);
    if (!secure_) {
      end_later(Error{Errc::io, "no memory for TLS; free some"});
      return;
    }
    handshake_limit_.expires_after(kHandshakeLimit);
    handshake_limit_.async_wait([self = shared_from_this()](const error_code& ec) {
      if (!ec && !self->open_) {
        self->end(Error{Errc::io, "the TLS handshake takes too long"});
      }
    });
    asio::post(io_, [self = shared_from_this()] { self->shake_hands(); });
  }

  void shake_hands() {
    if (ended_) {
      return;
    }
    const auto done = secure_->shake_hands();
    if (!done) {
      end(done.error());
      return;
    }
    if (*done) {
      handshake_limit_.cancel();
      opened();
      return;
    }
    send();
    read();
  }

  void opened() {
    if (ended_) {
      return;
    }
    open_ = true;
    if (const auto handlers = handlers_; handlers->on_open) {
      handlers->on_open();
    }
    send();
    if (secure_) {
      take_text();  // the peer may have been faster
    } else {
      read();
    }
  }

  void read() {
    if (ended_ || reading_) {
      return;
    }
    reading_ = true;
    socket_.async_read_some(asio::buffer(chunk_),
                            [self = shared_from_this()](const error_code& ec, std::size_t got) {
                              self->on_read(ec, got);
                            });
  }

  void on_read(const error_code& ec, std::size_t got) {
    reading_ = false;
    if (ended_) {
      return;
    }
    if (ec) {
      if (!is_end(ec)) {
        end(Error{Errc::io, ec.message()});
      } else if (secure_ && !open_) {
        end(Error{Errc::io, "closed the connection during the TLS handshake"});
      } else {
        end(std::nullopt);
      }
      return;
    }
    const std::string_view bytes(chunk_.data(), got);
    if (!secure_) {
      buffer_ += bytes;
      tell_lines();
      return;
    }
    secure_->received(bytes);
    if (open_) {
      take_text();
    } else {
      shake_hands();
    }
  }

  void take_text() {
    if (ended_) {
      return;
    }
    const auto more = secure_->open(buffer_);
    if (!more) {
      trouble_ = more.error();
    }
    read_all_ = !more || !*more;
    send();  // TLS may have something to say of its own
    tell_lines();
  }

  void tell_lines() {
    if (ended_) {
      return;
    }
    const auto handlers = handlers_;
    std::size_t from = 0;
    while (!ended_ && !held_) {
      const std::size_t at = buffer_.find('\n', from);
      if (at == std::string::npos) {
        break;
      }
      const std::string_view line = std::string_view(buffer_).substr(from, at - from);
      from = at + 1;
      if (line.size() > kSocketLineMax) {
        end(too_long());
        return;
      }
      if (handlers->on_line) {
        handlers->on_line(line);
      }
    }
    buffer_.erase(0, from);
    if (ended_ || held_) {
      return;
    }
    if (read_all_) {
      end(trouble_);
    } else if (buffer_.size() > kSocketLineMax) {
      end(too_long());
    } else {
      read();
    }
  }

  static Error too_long() {
    return Error{Errc::io, fmt::format("sent a line of more than {} bytes", kSocketLineMax)};
  }

  void send() {
    if (ended_ || !sending_.empty()) {
      return;
    }
    std::string& out = secure_ ? sealed_ : queued_;
    if (secure_) {
      seal();
    } else if (!open_) {
      return;
    }
    if (out.empty()) {
      return;
    }
    error_code left_to_the_rest;
    out.erase(0, socket_.write_some(asio::buffer(out), left_to_the_rest));
    if (out.empty()) {
      tell_sent();
      return;
    }
    sending_.swap(out);
    asio::async_write(
        socket_, asio::buffer(sending_),
        [self = shared_from_this()](const error_code& ec, std::size_t) {
          self->sending_.clear();
          if (self->ended_) {
            return;
          }
          if (ec) {
            self->end(is_end(ec) ? std::nullopt : std::optional(Error{Errc::io, ec.message()}));
            return;
          }
          if (self->queued_.empty()) {
            self->tell_sent();
          }
          self->send();
        });
  }

  // Moves what is queued, and what TLS has to say of its own, to sealed_.
  void seal() {
    if (open_ && !queued_.empty() && !trouble_) {
      if (const auto done = secure_->seal(queued_); !done) {
        end_later(done.error());
      }
      queued_.clear();
    }
    secure_->take_to_send(sealed_);
  }

  void tell_sent() {
    if (const auto handlers = handlers_; open_ && handlers && handlers->on_sent) {
      handlers->on_sent();
    }
  }

  void end_later(Error why) {
    asio::post(io_, [self = shared_from_this(), why = std::move(why)] { self->end(why); });
  }

  void end(const std::optional<Error>& why) {
    if (ended_) {
      return;
    }
    const auto handlers = std::exchange(handlers_, nullptr);
    close();
    if (handlers->on_end) {
      handlers->on_end(why ? std::optional(Error{why->code, shown_ + ": " + why->text}) : why);
    }
  }

  // What was written leaves first, as far as the peer takes it at once.
  void close() {
    send();
    ended_ = true;
    error_code ignored;
    resolver_.cancel();
    handshake_limit_.cancel();
    connecting_.close(ignored);
    socket_.close(ignored);
  }

  asio::io_context& io_;
  std::string shown_;
  std::string host_;
  TlsContext tls_;
  std::shared_ptr<Handlers> handlers_;  // held by whoever calls one: it may end the connection
  asio::ip::tcp::resolver resolver_;
  asio::ip::tcp::socket connecting_;
  asio::steady_timer handshake_limit_;
  Plain socket_;
  std::unique_ptr<TlsSession> secure_;
  std::optional<Error> trouble_;  // of the peer, told after its last line
  bool read_all_ = false;
  bool open_ = false;
  bool ended_ = false;
  bool held_ = false;
  bool reading_ = false;
  bool flushing_ = false;
  std::array<char, kSocketReadChunk> chunk_{};
  std::string buffer_;
  std::string queued_;
  std::string sealed_;  // under TLS: what was queued, as the peer gets it
  std::string sending_;
};

LineSocket::LineSocket(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
LineSocket::~LineSocket() { impl_->stop(); }

std::unique_ptr<LineSocket> LineSocket::connect(asio::io_context& io, const SocketAddress& address,
                                                TlsContext tls, Handlers handlers) {
  auto impl = std::make_shared<Impl>(io, address.shown, std::move(tls), std::move(handlers));
  impl->connect(address);
  return std::unique_ptr<LineSocket>(new LineSocket(std::move(impl)));
}

std::unique_ptr<LineSocket> LineSocket::adopt(asio::io_context& io, Plain socket, TlsContext tls,
                                              Handlers handlers) {
  auto impl = std::make_shared<Impl>(io, "client", std::move(tls), std::move(handlers));
  impl->adopt(std::move(socket));
  return std::unique_ptr<LineSocket>(new LineSocket(std::move(impl)));
}

void LineSocket::write(std::string_view bytes) { impl_->write(bytes); }
std::size_t LineSocket::unsent() const { return impl_->unsent(); }
void LineSocket::hold_reading(bool hold) { impl_->hold_reading(hold); }
std::string LineSocket::peer_name() const { return impl_->peer_name(); }
void LineSocket::stop() { impl_->stop(); }

}  // namespace dexlock
