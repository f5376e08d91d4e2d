// The frame of a one-shot call: an event loop that runs until the call is done or its deadline has
// passed, the cluster, and the driver of one lock once the group is known.
//
// Threads: one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "client/client_context.hpp"
#include "client/cluster.hpp"
#include "client/keeper_pool.hpp"
#include "client/lock_driver.hpp"
#include "client/owner.hpp"
#include "client/owner_state.hpp"
#include "dexlock/one_shot.hpp"

namespace dexlock {

class OneShotCall {
 public:
  OneShotCall(const ClientContext& context, std::string name,
              const std::optional<KeeperUse>& keeper = std::nullopt);
  ~OneShotCall();  // leaves the connections to the keeper
  OneShotCall(const OneShotCall&) = delete;
  OneShotCall& operator=(const OneShotCall&) = delete;

  struct Handlers {
    std::function<void()> on_ready;              // the group is known
    std::function<void(const Event&)> on_event;  // of the driver
    std::function<void()> on_change;             // something about the servers
  };

  // Runs until finish() or `limit`; true if finished.
  bool run(std::chrono::milliseconds limit, Handlers handlers);
  // Goes on with the driver: `begin` is called first.
  bool again(std::chrono::milliseconds limit, const std::function<void()>& begin,
             std::function<void(const Event&)> on_event);
  void finish();
  void fail_with(Error error);

  // Starts driving the lock. Requires: the group is known.
  // `step`: to the next call, if there is one.
  LockDriver& drive(Claim claim, Terms terms, Nanoseconds step, std::string who,
                    const OwnerState& state);

  // The same for somebody who has no part in it and keeps no state. `queues`: may see to it that
  // others are served in line.
  LockDriver& drive_apart(bool queues = true);

  [[nodiscard]] boost::asio::io_context& loop() { return loop_; }
  [[nodiscard]] Cluster& cluster() { return *cluster_; }
  [[nodiscard]] LockDriver* driver() { return driver_.get(); }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

  // Why no majority answers, in one line.
  [[nodiscard]] Error why_no_quorum() const;
  // True once no majority of the servers can be had without connecting again.
  [[nodiscard]] bool hopeless() const;
  void collect_remarks(Remarks& remarks) const;
  void remember() const;

 private:
  bool run_loop(std::chrono::milliseconds limit);
  LockDriver& drive(LockDriverOptions options, std::function<Result<void>(const Saved&)> save);

  const ClientContext& context_;
  std::string name_;
  boost::asio::io_context loop_;
  boost::asio::steady_timer deadline_;
  std::optional<KeeperPool> pool_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<LockDriver> driver_;
  Handlers handlers_;
  std::optional<Error> error_;
  bool finished_ = false;
};

}  // namespace dexlock
