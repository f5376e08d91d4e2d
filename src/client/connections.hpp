// This process's connections to the servers of one configuration: one thread with an event loop and
// one cluster, for all leases and observers that use them at the time.
//
// Invariants:  processes have their own, also those made by fork(); a user is told nothing after
//              leave().
// Threads:     as said at each.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "client/client_context.hpp"

namespace dexlock {

class Connections {
 public:
  // Is called on the loop's thread.
  class User {
   public:
    User() = default;
    User(const User&) = delete;
    User& operator=(const User&) = delete;
    virtual ~User() = default;
    virtual void on_ready() = 0;  // the group is known
    virtual void on_fatal(const Error& error) = 0;
    virtual void on_change(std::size_t server) = 0;
  };

  // Any thread. Those that are in use, or new ones.
  static std::shared_ptr<Connections> of(const ClientContext& context);
  // Any thread: returns when none is left, with all that it had, or false after `limit`. One that
  // goes on its own thread is still ending then.
  static bool wait_for_none(std::chrono::milliseconds limit);
  // Any thread. Requires: all users have left.
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // Any thread.
  [[nodiscard]] boost::asio::io_context& loop();
  [[nodiscard]] bool on_its_thread() const;
  // Any thread: has it done on the loop's thread, and returns afterwards.
  void call(std::function<void()> what);

  // The loop's thread. `user` hears at once what is known already.
  void enter(User& user);
  void leave(User& user);
  [[nodiscard]] Cluster& cluster();

 private:
  class Core;
  class Loops;
  explicit Connections(const ClientContext& context);

  std::shared_ptr<Core> core_;  // the thread has it, too
  std::thread thread_;
};

}  // namespace dexlock
