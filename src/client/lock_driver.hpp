// Drives one session over the cluster: reads the clock, saves, sends, wakes, and passes events on.
//
// Invariants:  what a session wants saved is saved before what it wants sent leaves; if it cannot
// be saved,
//              nothing is sent.
// Threads:     the event loop's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "client/cluster.hpp"
#include "client/host_memory.hpp"
#include "session/session.hpp"

namespace dexlock {

struct LockDriverOptions {
  std::string name;
  Claim claim;
  Terms terms;
  std::string who;
  bool sticky_promises = true;
  bool queues = true;  // where the servers can
  bool fences = false;
  Nanoseconds step{};            // as SessionSetup
  std::optional<SeenLock> seen;  // what this host saw before
};

class LockDriver {
 public:
  struct Handlers {
    std::function<void(const Event&)> on_event;
    std::function<Result<void>(const Saved&)> save;  // may be empty
    std::function<void(const Error&)> on_save_failed;
  };

  // Requires: the cluster's group is known.
  LockDriver(boost::asio::io_context& loop, Cluster& cluster, LockDriverOptions options,
             Handlers handlers);
  ~LockDriver();
  LockDriver(const LockDriver&) = delete;
  LockDriver& operator=(const LockDriver&) = delete;

  [[nodiscard]] const ClientId& client() const { return client_; }
  void resume(const Saved& saved) { session_.resume(saved); }
  void acquire(Patience patience);
  void renew() { carry_out(session_.renew(now_())); }
  void store(std::string text) { carry_out(session_.store(std::move(text), now_())); }
  void mark_fenced(FencingToken departed) { carry_out(session_.mark_fenced(departed, now_())); }
  void release() { carry_out(session_.release(now_())); }
  void hand_over(std::optional<ClientId> heir) {
    carry_out(session_.hand_over(std::move(heir), now_()));
  }
  void view() { carry_out(session_.view(now_())); }
  void amend(Amendment amendment) { carry_out(session_.amend(std::move(amendment), now_())); }

  // To be called when a server has greeted: only now is it known which one it is.
  void recall(std::size_t server);

  [[nodiscard]] const Session& session() const { return session_; }
  [[nodiscard]] SeenLock seen() const;

 private:
  static Instant now_();
  void carry_out(SessionOutput output);
  void arm();

  Cluster& cluster_;
  std::string name_;
  ClientId client_;
  std::optional<SeenLock> remembered_;
  Handlers handlers_;
  Session session_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dexlock
