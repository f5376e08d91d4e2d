// One moment as two clocks of this machine show it, and time elapsed as holders and observers count
// it.
//
// boot runs through suspend but may be slewed (Linux: adjtimex, up to 10 %); raw is never slewed
// but may stop in suspend. A holder takes the larger of both, an observer the smaller: so slewing
// and suspend both err to the safe side.
//
// Threads: plain values.      Never does: read a clock.
#pragma once

#include <algorithm>
#include <chrono>

namespace dexlock {

using Nanoseconds = std::chrono::nanoseconds;

struct Instant {
  Nanoseconds boot{};
  Nanoseconds raw{};
  friend bool operator==(const Instant&, const Instant&) = default;
};

// Time since `from`, never too short: for whoever relies on a lease.
[[nodiscard]] constexpr Nanoseconds elapsed_for_holder(Instant from, Instant now) {
  return std::max(now.boot - from.boot, now.raw - from.raw);
}

// Time since `from`, never too long: for whoever waits for another's lease to run out.
[[nodiscard]] constexpr Nanoseconds elapsed_for_observer(Instant from, Instant now) {
  return std::min(now.boot - from.boot, now.raw - from.raw);
}

}  // namespace dexlock
