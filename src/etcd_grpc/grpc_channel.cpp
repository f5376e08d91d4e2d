#include "etcd_grpc/grpc_channel.hpp"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <optional>
#include <utility>
#include <variant>

namespace dexlock {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Plain = tcp::socket;
using Tls = asio::ssl::stream<Plain>;

// etcd ends a connection with more than one ping in 5 s.
constexpr std::chrono::seconds kPingPause{8};
constexpr std::chrono::seconds kPingLimit{2};
// A call with so much time that has not got a byte shows a connection that is dead.
constexpr std::int64_t kSilenceMs = 1000;
constexpr std::size_t kReadChunk = std::size_t{16} << 10U;

struct Endpoint {
  std::string host;  // an IPv6 address without brackets
  std::string port;
};

Endpoint split(const std::string& endpoint) {
  const auto colon = endpoint.rfind(':');
  std::string host = endpoint.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  return {std::move(host), endpoint.substr(colon + 1)};
}

}  // namespace

// Kept alive by its pending operations.
class GrpcChannel::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::io_context& loop, const std::string& endpoint, GrpcTls tls)
      : loop_(loop),
        endpoint_(split(endpoint)),
        tls_(std::move(tls)),
        resolver_(loop),
        connecting_(loop),
        ping_(loop),
        session_(endpoint, tls_ != nullptr) {}

  [[nodiscard]] bool ended() const { return ended_; }

  void connect() {
    ping_later();
    error_code named;
    if (const auto address = asio::ip::make_address(endpoint_.host, named); !named) {
      const tcp::endpoint one(address, static_cast<std::uint16_t>(std::stoul(endpoint_.port)));
      connecting_.async_connect(
          one, [self = shared_from_this()](const error_code& ec) { self->on_connected(ec); });
      return;
    }
    try {
      resolver_.async_resolve(
          endpoint_.host, endpoint_.port, asio::ip::resolver_base::numeric_service,
          [self = shared_from_this()](const error_code& ec, const auto& found) {
            if (ec || self->ended_) {
              self->end("its name cannot be resolved: " + ec.message());
              return;
            }
            asio::async_connect(
                self->connecting_, found,
                [self](const error_code& refused, const auto&) { self->on_connected(refused); });
          });
    } catch (const boost::system::system_error& error) {  // no thread to be had for it
      asio::post(loop_, [self = shared_from_this(), why = error.code().message()] {
        self->end("its name cannot be resolved: " + why);
      });
    }
  }

  GrpcSession::Stream start(const GrpcCall& call, GrpcHandlers handlers) {
    const auto limit = std::make_shared<asio::steady_timer>(loop_);
    const auto stream = session_.start(
        call, {.on_message = handlers.on_message,
               .on_end = [limit, on_end = handlers.on_end](const GrpcStatus& status) {
                 limit->cancel();
                 on_end(status);
               }});
    if (stream < 0) {
      asio::post(loop_, [self = shared_from_this(), on_end = std::move(handlers.on_end)] {
        if (!self->stopped_) {
          on_end({GrpcCode::unavailable, "no more calls on this connection"});
          self->end("no more calls on this connection");
        }
      });
    } else if (call.limit_ms > 0) {
      limit->expires_after(std::chrono::milliseconds(call.limit_ms));
      limit->async_wait([self = shared_from_this(), limit, stream, came_before = came_,
                         on_end = std::move(handlers.on_end),
                         long_enough = call.limit_ms >= kSilenceMs](const error_code& ec) {
        if (!ec) {
          self->on_limit(stream, long_enough && self->came_ == came_before, on_end);
        }
      });
    }
    send_soon();
    return stream;
  }

  void send(GrpcSession::Stream stream, const std::string& message) {
    if (!ended_) {
      session_.send(stream, message);
      send_soon();
    }
  }

  void cancel(GrpcSession::Stream stream) {
    if (!ended_) {
      session_.cancel(stream);
      send_soon();
    }
  }

  // No handler is called any more.
  void stop() {
    stopped_ = true;
    close();
  }

 private:
  template <class Action>
  auto with_stream(Action action) {
    return std::visit(action, *stream_);
  }

  void on_limit(GrpcSession::Stream stream, bool silent,
                const std::function<void(const GrpcStatus&)>& on_end) {
    if (ended_ || !session_.cancel(stream)) {
      return;
    }
    on_end({GrpcCode::deadline_exceeded, open_ ? "no answer in time" : "no connection in time"});
    if (silent) {
      end("nothing came in time");
    } else {
      send();
    }
  }

  // What has streams only would not find out that nobody is there any more.
  void ping_later() {
    ping_.expires_after(kPingPause);
    ping_.async_wait([self = shared_from_this()](const error_code& ec) {
      if (ec || self->ended_) {
        return;
      }
      if (self->session_.is_idle()) {
        self->ping_later();
        return;
      }
      self->session_.ping();
      self->send();
      self->ping_.expires_after(kPingLimit);
      self->ping_.async_wait([self, came_before = self->came_](const error_code& over) {
        if (over || self->ended_) {
          return;
        }
        self->came_ == came_before ? self->end("nothing came after a ping") : self->ping_later();
      });
    });
  }

  void on_connected(const error_code& ec) {
    if (ended_) {
      return;
    }
    if (ec) {
      end("cannot be reached: " + ec.message());
      return;
    }
    error_code ignored;
    connecting_.set_option(tcp::no_delay(true), ignored);
    connecting_.non_blocking(true, ignored);
    ::fcntl(connecting_.native_handle(), F_SETFD, FD_CLOEXEC);
    if (!tls_) {
      stream_.emplace(std::in_place_type<Plain>, std::move(connecting_));
      opened();
      return;
    }
    stream_.emplace(std::in_place_type<Tls>, std::move(connecting_), *tls_);
    auto& tls = std::get<Tls>(*stream_);
    constexpr std::array<unsigned char, 3> kHttp2{2, 'h', '2'};
    SSL_set_alpn_protos(tls.native_handle(), kHttp2.data(), kHttp2.size());
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls.native_handle()),
                                      endpoint_.host.c_str()) != 1) {
      SSL_ctrl(tls.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               endpoint_.host.data());
      if (SSL_set1_host(tls.native_handle(), endpoint_.host.c_str()) != 1) {
        end("TLS handshake: no memory");
        return;
      }
    }
    tls.async_handshake(asio::ssl::stream_base::client,
                        [self = shared_from_this()](const error_code& failed) {
                          if (self->ended_) {
                            return;
                          }
                          failed ? self->end(self->why_no_handshake(failed)) : self->opened();
                        });
  }

  std::string why_no_handshake(const error_code& ec) {
    const long verdict = SSL_get_verify_result(std::get<Tls>(*stream_).native_handle());
    return "TLS handshake: " + (verdict == X509_V_OK ? ec.message()
                                                     : std::string("CERTIFICATE_VERIFY_FAILED: ") +
                                                           X509_verify_cert_error_string(verdict));
  }

  void opened() {
    open_ = true;
    send();
    read();
  }

  void read() {
    with_stream([&](auto& stream) {
      stream.async_read_some(asio::buffer(chunk_),
                             [self = shared_from_this()](const error_code& ec, std::size_t got) {
                               self->on_read(ec, got);
                             });
    });
  }

  void on_read(const error_code& ec, std::size_t got) {
    if (ended_) {
      return;
    }
    if (ec) {
      end("the connection has ended: " + ec.message());
      return;
    }
    came_ += got;
    if (!session_.receive({chunk_.data(), got})) {
      end("the server has ended the connection");
      return;
    }
    if (!ended_) {
      send();
      read();
    }
  }

  // What is started in one turn of the loop leaves together.
  void send_soon() {
    if (open_ && !std::exchange(flushing_, true)) {
      asio::post(loop_, [self = shared_from_this()] {
        self->flushing_ = false;
        self->send();
      });
    }
  }

  void send() {
    if (ended_ || !open_ || !sending_.empty()) {
      return;
    }
    sending_ = session_.take_output();
    if (auto* plain = std::get_if<Plain>(&*stream_); plain != nullptr && !sending_.empty()) {
      error_code left_to_the_rest;
      sending_.erase(0, plain->write_some(asio::buffer(sending_), left_to_the_rest));
    }
    if (sending_.empty()) {
      return;
    }
    with_stream([&](auto& stream) {
      asio::async_write(stream, asio::buffer(sending_),
                        [self = shared_from_this()](const error_code& ec, std::size_t) {
                          self->sending_.clear();
                          if (ec) {
                            self->end("the connection has ended: " + ec.message());
                          } else {
                            self->send();
                          }
                        });
    });
  }

  void end(const std::string& why) {
    if (!ended_) {
      close();
      session_.end({GrpcCode::unavailable, why});
    }
  }

  void close() {
    ended_ = true;
    error_code ignored;
    resolver_.cancel();
    ping_.cancel();
    connecting_.close(ignored);
    if (stream_) {
      with_stream([&](auto& stream) { stream.lowest_layer().close(ignored); });
    }
  }

  asio::io_context& loop_;
  Endpoint endpoint_;
  GrpcTls tls_;
  tcp::resolver resolver_;
  tcp::socket connecting_;
  asio::steady_timer ping_;
  std::optional<std::variant<Plain, Tls>> stream_;
  GrpcSession session_;
  bool open_ = false;
  bool ended_ = false;
  bool stopped_ = false;
  bool flushing_ = false;
  std::size_t came_ = 0;  // bytes
  std::array<char, kReadChunk> chunk_{};
  std::string sending_;
};

GrpcChannel::GrpcChannel(asio::io_context& loop, std::string endpoint, GrpcTls tls)
    : loop_(loop), endpoint_(std::move(endpoint)), tls_(std::move(tls)) {}

GrpcChannel::~GrpcChannel() {
  if (connection_) {
    connection_->stop();
  }
}

GrpcChannel::Started GrpcChannel::start(const GrpcCall& call, GrpcHandlers handlers) {
  if (!connection_ || connection_->ended()) {
    connection_ = std::make_shared<Connection>(loop_, endpoint_, tls_);
    connection_->connect();
  }
  return {connection_, connection_->start(call, std::move(handlers))};
}

void GrpcChannel::send(const Started& started, const std::string& message) {
  if (const auto connection = started.connection.lock()) {
    connection->send(started.stream, message);
  }
}

void GrpcChannel::cancel(const Started& started) {
  if (const auto connection = started.connection.lock()) {
    connection->cancel(started.stream);
  }
}

}  // namespace dexlock
