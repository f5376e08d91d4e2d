// What is said over one connection after the greeting: requests out, numbered lines back. One kind
// for the shell store, one for the native server.
//
// Threads: the event loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/link.hpp"

namespace dexlock {

// What another process must know to go on with a connection.
struct Unfinished {
  std::uint32_t last = 0;               // number of a request
  std::vector<std::uint32_t> expected;  // answers that are still to come, and concern nobody
  std::string seen;                     // a hint that the server checks; no blank, no '|' in front
};

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

  // Nothing: nobody else can go on here.
  [[nodiscard]] virtual std::optional<Unfinished> unfinished() const = 0;

  // False for a line that no server of ours sends: the connection is of no use any more.
  [[nodiscard]] virtual bool on_line(std::string_view line) = 0;
};

}  // namespace dexlock
