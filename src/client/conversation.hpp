// What is said over one connection after the greeting: requests out, numbered lines back. One kind
// for the shell store, one for the native server.
//
// Threads: the event loop's.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "client/link.hpp"

namespace dexlock {

class Conversation {
 public:
  using Write = std::function<void(std::string line)>;  // without the newline

  Conversation() = default;
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  virtual ~Conversation() = default;

  virtual void request(const Where& where, const std::string& name, Request request,
                       Link::ReplyHandler handler) = 0;
  virtual void change_group(const GroupStep& step, Link::GroupHandler handler) = 0;
  // As Link.
  virtual void ask(const Question& question, Link::ToldHandler handler) = 0;
  virtual void watch(const Where& /*where*/, const std::string& /*name*/,
                     const ClientId& /*client*/, Link::AnswerHandler /*handler*/) {}
  virtual void unwatch(const std::string& /*name*/, const ClientId& /*client*/) {}

  // False for a line that no server of ours sends: the connection is of no use any more.
  [[nodiscard]] virtual bool on_line(std::string_view line) = 0;
};

}  // namespace dexlock
