#include "server/http_pages.hpp"

#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <deque>
#include <iterator>
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

struct Served {
  HttpPages::Pages pages;
  HttpPages::Options options;
};

std::string text_of(beast::string_view text) { return {text.data(), text.size()}; }

HttpReply refusal_of(const error_code& ec) {
  if (ec == http::make_error_code(http::error::header_limit) ||
      ec == http::make_error_code(http::error::buffer_overflow)) {
    return {.status = 431, .body = "the header of the request is too long\n"};
  }
  if (ec == http::make_error_code(http::error::body_limit)) {
    return {.status = 413, .body = "the body of the request is too long\n"};
  }
  return {.status = 400, .body = "no HTTP request that is understood here\n"};
}

HttpRequest request_of(const http::request<http::string_body>& request) {
  const auto field = [&request](http::field name) {
    const auto found = request.equal_range(name);
    const bool one = found.first != found.second && std::next(found.first) == found.second;
    return one ? text_of(found.first->value()) : std::string();
  };
  const std::string target = text_of(request.target());
  return {.path = target.substr(0, target.find('?')),
          .host = field(http::field::host),
          .origin = field(http::field::origin),
          .fetch_site = text_of(request["Sec-Fetch-Site"]),
          .content_type = field(http::field::content_type),
          .body = request.body()};
}

std::string paths_text(const HttpPages::Pages& pages) {
  std::string text;
  for (const auto& [path, page] : pages) {
    text += ' ' + path;
  }
  return text;
}

// Kept alive by its pending operations, and by the page it waits for.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(asio::generic::stream_protocol::socket socket, std::shared_ptr<const Served> served)
      : stream_(std::move(socket)),
        served_(std::move(served)),
        buffer_(kHttpHeaderMax + served_->options.body_bytes) {
    parser_.header_limit(kHttpHeaderMax);
    parser_.body_limit(served_->options.body_bytes);
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
      send(refusal_of(ec));
      return;
    }
    const auto method = parser_.get().method();
    const HttpRequest request = request_of(parser_.get());
    if (served_->options.refuse) {
      if (auto refused = served_->options.refuse(request)) {
        send(std::move(*refused));
        return;
      }
    }
    const auto found = served_->pages.find(request.path);
    if (found == served_->pages.end()) {
      const bool known = method == http::verb::get || method == http::verb::post;
      send({.status = known ? 404U : 405U, .body = "here are" + paths_text(served_->pages) + '\n'});
      return;
    }
    const HttpPages::Page& page = found->second;
    const HttpPages::Make& make = method == http::verb::post  ? page.on_post
                                  : method == http::verb::get ? page.on_get
                                                              : no_method_;
    if (!make) {
      send({.status = 405,
            .fields = {{"Allow", page.on_post ? "POST" : "GET"}},
            .body =
                "this is answered only to " + std::string(page.on_post ? "POST" : "GET") + '\n'});
      return;
    }
    make(request, [self = shared_from_this()](HttpReply reply) { self->send(std::move(reply)); });
  }

  void send(HttpReply reply) {
    auto& message = reply_.emplace(static_cast<http::status>(reply.status), 11);
    message.set(http::field::content_type, reply.type);
    message.set(http::field::connection, "close");
    message.set(http::field::cache_control, "no-store");
    message.set("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : reply.fields) {
      message.set(name, value);
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
  std::shared_ptr<const Served> served_;
  HttpPages::Make no_method_;
  beast::flat_buffer buffer_;
  http::request_parser<http::string_body> parser_;
  std::optional<http::response<http::string_body>> reply_;
  std::array<char, 1024> rest_{};
  bool ended_ = false;
};

class ListeningPages final : public HttpPages {
 public:
  ListeningPages(Pages pages, Options options)
      : served_(std::make_shared<const Served>(std::move(pages), std::move(options))) {}
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
    if (sessions_.size() >= served_->options.connections) {
      if (const auto oldest = sessions_.front().lock()) {
        oldest->end();
      }
      sessions_.pop_front();
    }
    const auto session = std::make_shared<HttpSession>(std::move(socket), served_);
    sessions_.push_back(session);
    session->start();
  }

  std::shared_ptr<const Served> served_;
  std::deque<std::weak_ptr<HttpSession>> sessions_;  // the oldest first
  std::unique_ptr<Listener> listener_;
};

}  // namespace

Result<std::unique_ptr<HttpPages>> HttpPages::open(asio::io_context& loop,
                                                   const SocketAddress& address, Pages pages,
                                                   Options options) {
  auto made = std::make_unique<ListeningPages>(std::move(pages), std::move(options));
  if (auto done = made->listen(loop, address); !done) {
    return std::unexpected(done.error());
  }
  return made;
}

}  // namespace dexlock
