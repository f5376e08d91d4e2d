#include "server/http_pages.hpp"

#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <deque>
#include <optional>
#include <utility>

#include "server/listener.hpp"

namespace dexlock {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Stream = beast::basic_stream<asio::generic::stream_protocol>;
using PagesOfAll = std::shared_ptr<const HttpPages::Pages>;

// Kept alive by its pending operations, and by the page it waits for.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(asio::generic::stream_protocol::socket socket, PagesOfAll pages)
      : stream_(std::move(socket)), pages_(std::move(pages)), buffer_(kHttpHeaderMax) {
    parser_.header_limit(kHttpHeaderMax);
  }

  void start() {
    stream_.expires_after(kHttpLimit);
    http::async_read(
        stream_, buffer_, parser_,
        [self = shared_from_this()](const error_code& ec, std::size_t) { self->on_request(ec); });
  }

  // Who makes the pages may be gone from here on.
  void end() {
    ended_ = true;
    stream_.close();
  }

 private:
  void on_request(const error_code& ec) {
    if (ended_ ||
        (ec && ec.category() != http::make_error_code(http::error::bad_method).category())) {
      return;  // closed, or too slow
    }
    if (ec) {
      send({.status = 400, .body = "no HTTP request that is understood here\n"});
      return;
    }
    const auto& request = parser_.get();
    if (request.method() != http::verb::get) {
      send({.status = 405, .body = "only GET is answered here\n"});
      return;
    }
    const std::string_view target(request.target().data(), request.target().size());
    const auto page = pages_->find(target.substr(0, target.find('?')));
    if (page == pages_->end()) {
      send({.status = 404, .body = "here are /metrics and /health\n"});
      return;
    }
    page->second([self = shared_from_this()](HttpReply reply) { self->send(std::move(reply)); });
  }

  void send(HttpReply reply) {
    auto& message = reply_.emplace(static_cast<http::status>(reply.status), 11);
    message.set(http::field::content_type, reply.type);
    message.set(http::field::connection, "close");
    message.set(http::field::cache_control, "no-store");
    if (reply.status == 405) {
      message.set(http::field::allow, "GET");
    }
    message.body() = std::move(reply.body);
    message.prepare_payload();
    stream_.expires_after(kHttpLimit);
    http::async_write(
        stream_, message, [self = shared_from_this()](const error_code& ec, std::size_t) {
          if (!ec) {
            error_code ignored;
            self->stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
            self->read_out();
          }
        });
  }

  // Closed with unread bytes, the connection would be reset, and the reply could be lost.
  void read_out() {
    stream_.async_read_some(asio::buffer(rest_),
                            [self = shared_from_this()](const error_code& ec, std::size_t) {
                              if (!ec) {
                                self->read_out();
                              }
                            });
  }

  Stream stream_;
  PagesOfAll pages_;
  beast::flat_buffer buffer_;
  http::request_parser<http::empty_body> parser_;
  std::optional<http::response<http::string_body>> reply_;
  std::array<char, 1024> rest_{};
  bool ended_ = false;
};

class ListeningPages final : public HttpPages {
 public:
  explicit ListeningPages(Pages pages) : pages_(std::make_shared<const Pages>(std::move(pages))) {}
  ~ListeningPages() override {
    if (listener_) {
      listener_->close();
    }
    for (const auto& session : sessions_) {
      if (const auto running = session.lock()) {
        running->end();
      }
    }
  }

  Result<void> listen(asio::io_context& loop, const SocketAddress& address) {
    auto listener = Listener::open(
        loop, address,
        {.on_connection = [this](auto socket) { take(std::move(socket)); },
         .on_trouble = [](const std::string&) {}});  // the lock server tells of the same
    if (!listener) {
      return std::unexpected(listener.error());
    }
    listener_ = std::move(*listener);
    return {};
  }

 private:
  void take(asio::generic::stream_protocol::socket socket) {
    std::erase_if(sessions_, [](const auto& session) { return session.expired(); });
    if (sessions_.size() >= kHttpConnectionsMax) {
      if (const auto oldest = sessions_.front().lock()) {
        oldest->end();
      }
      sessions_.pop_front();
    }
    const auto session = std::make_shared<HttpSession>(std::move(socket), pages_);
    sessions_.push_back(session);
    session->start();
  }

  PagesOfAll pages_;
  std::deque<std::weak_ptr<HttpSession>> sessions_;  // the oldest first
  std::unique_ptr<Listener> listener_;
};

}  // namespace

Result<std::unique_ptr<HttpPages>> HttpPages::open(asio::io_context& loop,
                                                   const SocketAddress& address, Pages pages) {
  auto made = std::make_unique<ListeningPages>(std::move(pages));
  if (auto done = made->listen(loop, address); !done) {
    return std::unexpected(done.error());
  }
  return made;
}

}  // namespace dexlock
