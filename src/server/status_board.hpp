// What the event loop of a server writes down for the thread that shows it. That one never waits
// for the loop, which the store can hold up for as long as a disk hangs.
//
// Threads:     any; nobody waits for longer than a copy takes.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>

#include "server/server_metrics.hpp"

namespace dexlock {

class StatusBoard {
 public:
  using Clock = std::chrono::steady_clock;

  template <class Change>
  void write(const Change& change) {
    const std::scoped_lock lock(mutex_);
    change(metrics_);
  }
  [[nodiscard]] ServerMetrics metrics() const {
    const std::scoped_lock lock(mutex_);
    return metrics_;
  }

  // Around each call of the store.
  void store_called() {
    const std::scoped_lock lock(mutex_);
    store_called_ = Clock::now();
  }
  void store_answered() {
    const std::scoped_lock lock(mutex_);
    store_called_.reset();
  }
  // For how long the call that goes on has been without an answer; nothing between calls.
  [[nodiscard]] Clock::duration store_silent_for() const {
    const std::scoped_lock lock(mutex_);
    return store_called_ ? Clock::now() - *store_called_ : Clock::duration{};
  }

 private:
  mutable std::mutex mutex_;
  ServerMetrics metrics_;  // with all below: guarded by mutex_
  std::optional<Clock::time_point> store_called_;
};

}  // namespace dexlock
