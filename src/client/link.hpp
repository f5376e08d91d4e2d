// A link to one lock server, whatever its kind: connect, greet, ask, answer. It neither retries nor
// remembers: who owns it decides when to open it again.
//
// Threads:     all calls and all handlers on the thread that runs the event loop.
// Invariants:  every request gets exactly one reply, at the latest when the link goes down;
// handlers are
//              never called from inside a call of the same link.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "dexlock/error.hpp"
#include "register/assembly.hpp"
#include "register/message.hpp"
#include "wire/past_hold.hpp"
#include "wire/reply_line.hpp"
#include "wire/request_line.hpp"

namespace dexlock {

struct LinkGreeting {
  ServerIdentity identity;
  std::string format;  // files | lmdb | etcd
  std::string sync;    // how it makes things durable
  std::string boot;    // "-": it cannot name its boots; heartbeats are synced there
  std::string directory;
};

// What is asked of a server by who looks on. TryCommit: how long one takes; only of a store in this
// process.
struct TryCommit {};
// How each endpoint of an etcd cluster is; of no other server.
struct AskEndpoints {};
using Question = std::variant<Ping, ListKeys, ListHolds, AskFacts, TryCommit, AskEndpoints>;

struct CommitTook {
  std::chrono::nanoseconds time{};
};
struct EndpointsTold {
  struct Endpoint {
    std::string name;
    std::string trouble;  // empty: it answers
    std::string version;
    std::string cluster;
    std::uint64_t bytes = 0;  // of its database
    std::vector<std::string> alarms;
  };
  std::vector<Endpoint> endpoints;
};
// However many names a server tells, no more are kept.
inline constexpr std::size_t kNamesToldMax = 1'000'000;
// Keys: all of them. A fault of the kind `refused`: this server cannot tell.
using Told = std::variant<Fault, Pong, Keys, PastHolds, ServerFacts, CommitTook, EndpointsTold>;

class Link {
 public:
  struct Handlers {
    std::function<void(const LinkGreeting&)> on_greeting;
    std::function<void(Error)> on_down;
  };
  using ReplyHandler = std::function<void(Reply)>;
  using AnswerHandler = std::function<void(const Answer&)>;
  using GroupHandler = std::function<void(Result<Group>)>;
  using ToldHandler = std::function<void(Told)>;

  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  virtual ~Link() = default;  // no handler is called any more

  virtual void open() = 0;   // requires: new or down
  virtual void close() = 0;  // no handler is called any more
  // Nothing more will be asked: if the connection is fit for others, it is left to them. Closes.
  virtual void keep() { close(); }
  virtual void request(const Where& where, const std::string& name, Request request,
                       ReplyHandler handler) = 0;
  virtual void change_group(const GroupStep& step, GroupHandler handler) = 0;
  virtual void ask(const Question& question, ToldHandler handler) = 0;

  // Tells when the lock has changed so that `client` may care, until the link goes down or
  // unwatch(); `handler` gets any number of answers. A hint: where servers cannot push it does
  // nothing.
  virtual void watch(const Where& /*where*/, const std::string& /*name*/,
                     const ClientId& /*client*/, AnswerHandler /*handler*/) {}
  virtual void unwatch(const std::string& /*name*/, const ClientId& /*client*/) {}
};

}  // namespace dexlock
