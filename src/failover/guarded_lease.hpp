// The lease of a package in the hands of its guard: sought, watched, given back; and the watchdog,
// which is fed only while it lasts.
//
// Invariants:  a lease that is held goes on by the settings that it was sought with;
//              what is sought during a release is sought behind it.
// Threads:     one; the lease's own thread speaks by way of the inbox.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "dexlock/lease.hpp"
#include "failover/call_inbox.hpp"
#include "failover/guard_message.hpp"
#include "lease/timing.hpp"
#include "process/watchdog.hpp"

namespace dexlock {

class GuardedLease {
 public:
  using Tell = std::function<void(const Words&)>;

  // `tell`: to the supervisor.
  GuardedLease(std::shared_ptr<CallInbox> inbox, Tell tell)
      : inbox_(std::move(inbox)), tell_(std::move(tell)) {}
  GuardedLease(const GuardedLease&) = delete;
  GuardedLease& operator=(const GuardedLease&) = delete;

  // The words of "lease"; false: they are none.
  [[nodiscard]] bool set(const Words& words);
  [[nodiscard]] const LeaseOptions& settings() const { return settings_; }

  // Answered by "granted" or "refused", some time.
  void seek();
  void withdraw();      // from the line, and what was to be sought after a release
  void stop_seeking();  // from the line
  enum class Told { no, yes };
  void release(Told told);  // answered by "released" if it is to be told
  void drop() { lease_.reset(); }
  void disarm();

  // Held, or lost and still to be dealt with.
  [[nodiscard]] bool has() const { return lease_ != nullptr; }
  [[nodiscard]] bool holds() const { return has() && lease_->holds(); }
  [[nodiscard]] bool seeking() const { return seeking_; }
  [[nodiscard]] bool releasing() const { return releasing_; }
  // Of the latest one that was had; 0: none.
  [[nodiscard]] std::uint64_t last_token() const { return last_token_; }

  // Why the package must be stopped now; nothing: the lease goes on, and its renewals are told.
  [[nodiscard]] std::optional<std::string> watch();
  void feed() const;
  // When watch() will say that, without a renewal. Requires: has().
  [[nodiscard]] std::chrono::nanoseconds signal_at() const;
  // Of what is left of the package: on the clock that runs through suspend.
  [[nodiscard]] std::chrono::nanoseconds kill_at() const;
  // What the supervisor must know to act in the guard's place.
  void append(Words& words) const;
  void tell_term_again() { told_term_ = std::chrono::nanoseconds(0); }

  // When to watch() again, at the latest; and what else to watch, -1: nothing.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> next_time() const;
  [[nodiscard]] int loss_fd() const { return has() ? lease_->loss_fd() : -1; }

 private:
  [[nodiscard]] Executor executor() const;
  void acquire(bool fifo);
  void on_acquired(Result<std::unique_ptr<Lease>> result);
  void tell_waiting(const std::string& why);
  void tell_granted() const;

  std::shared_ptr<CallInbox> inbox_;
  Tell tell_;
  LeaseOptions settings_;
  StopLadder ladder_{};
  std::string watchdog_device_;
  std::optional<Watchdog> watchdog_;
  std::unique_ptr<Lease> lease_;
  std::uint64_t last_token_ = 0;
  std::stop_source stop_seeking_;
  bool seeking_ = false;
  bool releasing_ = false;
  bool seeks_again_ = false;
  std::string told_waiting_;
  std::chrono::nanoseconds told_term_{};
};

}  // namespace dexlock
