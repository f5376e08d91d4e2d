// Keeps one lease on the loop of its connections: acquires, renews, stores, releases.
//
// Invariants:  nothing of the holder's is called after close(); what a call reports by `done` it
//              reports once.
// Threads:     the loop's, but for the constructor. Never does: block.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/connections.hpp"
#include "client/holder_marks.hpp"
#include "client/lease_facts.hpp"
#include "client/lock_driver.hpp"
#include "client/pending_outcome.hpp"
#include "client/release_dead.hpp"
#include "dexlock/lease.hpp"

namespace dexlock {

class LeaseKeeper final : public Connections::User,
                          public std::enable_shared_from_this<LeaseKeeper> {
 public:
  using Done = PendingOutcome::Done;

  // Requires: `connections` live until after close().
  LeaseKeeper(Connections& connections, ClientContext context, std::string name,
              LeaseOptions options, std::shared_ptr<LeaseFacts> facts);

  void acquire(Done done);
  void stop_waiting();  // also before acquire()
  void store(std::string text, std::chrono::milliseconds limit, Done done);
  void mark_fenced(FencingToken departed, std::chrono::milliseconds limit, Done done);
  void release(std::chrono::milliseconds limit, Done done);
  void close();

 private:
  void prepare();
  void on_ready() override;
  void on_fatal(const Error& error) override;
  void on_change(std::size_t server) override;
  bool settle_refusal();
  void ask();
  bool release_dead(const Record& record);

  void on_event(const Event& event);
  void on_granted(const Granted& granted);
  void on_renewed();
  void take_over();
  void on_lost(const std::string& why);
  bool begin_storing(std::chrono::milliseconds limit, Done done);
  void on_stored(Result<void> outcome);
  void on_released();
  void on_busy(const Busy& busy);
  void on_closed(const Closed& closed);
  void on_no_quorum();
  void on_alarm();

  void schedule_renewal();
  void settle(Result<void> outcome);
  void settle_release(Result<void> outcome);
  void waits(const std::string& why, std::optional<Nanoseconds> takeover = std::nullopt);
  void remember();
  [[nodiscard]] Error not_in_time();

  Connections& connections_;
  Cluster& cluster_;
  ClientContext context_;
  std::string name_;
  LeaseOptions options_;
  std::shared_ptr<LeaseFacts> facts_;
  boost::asio::steady_timer renewal_;
  std::optional<LockDriverOptions> prepared_;
  std::optional<LockDriver> driver_;
  std::optional<Instant> last_renewal_;
  HolderMarks marks_;
  std::unique_ptr<DeadRelease> dead_;  // under way
  FencingToken released_dead_;         // the latest whose release was sent
  std::string last_reason_;
  std::string remembered_;  // as it was written
  bool taken_ = false;
  bool given_up_ = false;
  bool stopped_ = false;
  std::shared_ptr<PendingOutcome> acquiring_;
  std::shared_ptr<PendingOutcome> storing_;
  std::vector<std::shared_ptr<PendingOutcome>> releasing_;
  std::optional<Result<void>> released_;
};

}  // namespace dexlock
