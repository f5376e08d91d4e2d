#include "client/socket_link.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "client/native_session.hpp"
#include "client/told_greeting.hpp"
#include "transport/line_socket.hpp"

namespace dexlock {
namespace {

class SocketLink final : public Link {
 public:
  SocketLink(boost::asio::io_context& loop, SocketAddress address, Result<TlsContext> tls,
             Handlers handlers)
      : loop_(loop),
        address_(std::move(address)),
        tls_(std::move(tls)),
        handlers_(std::move(handlers)) {}

  ~SocketLink() override { close(); }

  void open() override {
    close();
    if (!tls_) {
      alive_ = std::make_shared<bool>(true);
      boost::asio::post(loop_, [this, alive = alive_] {
        if (*alive) {
          handlers_.on_down(Error{tls_.error().code, address_.shown + ": " + tls_.error().text});
        }
      });
      return;
    }
    socket_ = LineSocket::connect(
        loop_, address_, *tls_,
        {.on_open = {},
         .on_line = [this](std::string_view line) { on_line(line); },
         .on_pause = {},
         .on_sent = {},
         .on_end =
             [this](const std::optional<Error>& why) {
               handlers_.on_down(
                   why.value_or(Error{Errc::io, address_.shown + ": closed the connection"}));
             }});
  }

  void close() override {
    if (alive_) {
      *std::exchange(alive_, nullptr) = false;
    }
    conversation_.reset();
    socket_.reset();
  }

  void request(const Where& where, const std::string& name, Request request,
               ReplyHandler handler) override {
    if (conversation_) {
      conversation_->request(where, name, std::move(request), std::move(handler));
    }
  }

  void change_group(const GroupStep& step, GroupHandler handler) override {
    if (conversation_) {
      conversation_->change_group(step, std::move(handler));
    }
  }

 private:
  void on_line(std::string_view line) {
    if (!conversation_) {
      greet(line);
    } else if (!conversation_->on_line(line)) {
      handlers_.on_down(
          Error{Errc::store_damaged, address_.shown + ": answers what cannot be understood"});
    }
  }

  void greet(std::string_view line) {
    const auto greeting = parse_greeting_line(line);
    if (!greeting) {
      handlers_.on_down(told_trouble(address_.shown, greeting.error()));
      return;
    }
    if (greeting->format != "lmdb") {
      handlers_.on_down(Error{Errc::bad_config, address_.shown + ": no lock server of ours"});
      return;
    }
    conversation_ = make_native_session([this](std::string text) { socket_->write(text + "\n"); },
                                        address_.shown);
    handlers_.on_greeting(told_greeting(*greeting));
  }

  boost::asio::io_context& loop_;
  SocketAddress address_;
  Result<TlsContext> tls_;
  std::shared_ptr<bool> alive_;
  Handlers handlers_;
  std::unique_ptr<LineSocket> socket_;
  std::unique_ptr<Conversation> conversation_;
};

}  // namespace

std::unique_ptr<Link> make_socket_link(boost::asio::io_context& loop, SocketAddress address,
                                       Result<TlsContext> tls, Link::Handlers handlers) {
  return std::make_unique<SocketLink>(loop, std::move(address), std::move(tls),
                                      std::move(handlers));
}

}  // namespace dexlock
