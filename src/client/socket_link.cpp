#include "client/socket_link.hpp"

#include <utility>

#include "client/conversation_link.hpp"
#include "client/native_session.hpp"
#include "client/told_greeting.hpp"
#include "transport/line_socket.hpp"

namespace dexlock {
namespace {

class SocketLink final : public ConversationLink {
 public:
  SocketLink(boost::asio::io_context& loop, SocketAddress address, Result<TlsContext> tls,
             Handlers handlers)
      : ConversationLink(loop, std::move(handlers)),
        address_(std::move(address)),
        tls_(std::move(tls)) {}

  void open() override {
    close();
    if (!tls_) {
      report_down(Error{tls_.error().code, address_.shown + ": " + tls_.error().text});
      return;
    }
    socket_ = LineSocket::connect(
        loop_, address_, *tls_,
        {.on_open = {},
         .on_line = [this](std::string_view line) { on_line(line); },
         .on_sent = {},
         .on_end =
             [this](const std::optional<Error>& why) {
               handlers_.on_down(
                   why.value_or(Error{Errc::io, address_.shown + ": closed the connection"}));
             }});
  }

  void close() override {
    forget();
    socket_.reset();
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

  SocketAddress address_;
  Result<TlsContext> tls_;
  std::unique_ptr<LineSocket> socket_;
};

}  // namespace

std::unique_ptr<Link> make_socket_link(boost::asio::io_context& loop, SocketAddress address,
                                       Result<TlsContext> tls, Link::Handlers handlers) {
  return std::make_unique<SocketLink>(loop, std::move(address), std::move(tls),
                                      std::move(handlers));
}

}  // namespace dexlock
