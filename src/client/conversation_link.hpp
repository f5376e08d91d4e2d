// What links that talk in lines have in common, whatever carries the lines.
//
// Threads: as Link.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "client/conversation.hpp"
#include "client/link.hpp"

namespace dexlock {

class ConversationLink : public Link {
 public:
  ConversationLink(boost::asio::io_context& loop, Handlers handlers)
      : loop_(loop), handlers_(std::move(handlers)) {}
  ~ConversationLink() override { forget(); }

  void request(const Where& where, const std::string& name, Request request,
               ReplyHandler handler) final {
    if (conversation_) {
      conversation_->request(where, name, std::move(request), std::move(handler));
    }
  }

  void change_group(const GroupStep& step, GroupHandler handler) final {
    if (conversation_) {
      conversation_->change_group(step, std::move(handler));
    }
  }

  void ask(const Question& question, ToldHandler handler) final {
    if (conversation_) {
      conversation_->ask(question, std::move(handler));
    }
  }

  void watch(const Where& where, const std::string& name, const ClientId& client,
             AnswerHandler handler) final {
    if (conversation_) {
      conversation_->watch(where, name, client, std::move(handler));
    }
  }

  void unwatch(const std::string& name, const ClientId& client) final {
    if (conversation_) {
      conversation_->unwatch(name, client);
    }
  }

 protected:
  // Tells it later, from the loop: never from inside a call of this link.
  void report_down(Error why) {
    later([this, why = std::move(why)] { handlers_.on_down(why); });
  }

  // From the loop, unless it is closed before.
  void later(std::function<void()> what) {
    alive_ = std::make_shared<bool>(true);
    boost::asio::post(loop_, [alive = alive_, what = std::move(what)] {
      if (*alive) {
        what();
      }
    });
  }

  // No handler is called any more.
  void forget() {
    if (alive_) {
      *std::exchange(alive_, nullptr) = false;
    }
    conversation_.reset();
  }

  boost::asio::io_context& loop_;
  Handlers handlers_;
  std::unique_ptr<Conversation> conversation_;

 private:
  std::shared_ptr<bool> alive_;
};

}  // namespace dexlock
