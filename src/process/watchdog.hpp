// The machine's watchdog device: it resets the machine unless it is fed. Fed only while the lease
// lasts, it stops what nothing else can stop, such as a process in an uninterruptible wait, before
// others may have the lock. See Documentation/watchdog/watchdog-api of the kernel.
//
// Invariants:  when it is fed, its time runs out before that of the lease and its stop time does.
// Threads:     one.
#pragma once

#include <chrono>
#include <string>

#include "dexlock/error.hpp"
#include "lease/timing.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

// The longest time that a watchdog may have, in whole seconds as it counts: renewals may be late by
// a whole period. Zero: there is none.
[[nodiscard]] std::chrono::seconds watchdog_time(const StopLadder& ladder);

// True if one with this time, fed now, so far into the lease, surely runs out in time.
[[nodiscard]] bool may_feed(std::chrono::nanoseconds elapsed, std::chrono::seconds time,
                            const StopLadder& ladder);

class Watchdog {
 public:
  // Its time begins. bad_argument: it cannot keep the promise; io.
  [[nodiscard]] static Result<Watchdog> open(const std::string& device, const StopLadder& ladder);
  Watchdog(Watchdog&&) = default;
  Watchdog& operator=(Watchdog&&) = default;

  [[nodiscard]] std::chrono::seconds time() const { return time_; }
  void feed() const;
  // From here on nothing has to be reset. If it is destroyed without, it goes on.
  void disarm() const;

 private:
  Watchdog(UniqueFd device, std::chrono::seconds time) : device_(std::move(device)), time_(time) {}

  UniqueFd device_;
  std::chrono::seconds time_;
};

}  // namespace dexlock
