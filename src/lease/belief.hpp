// What a holder may believe: it holds its lock until T after the *sending* of the newest message
// that a majority has confirmed, on its own clock, and not an instant longer.
//
// Invariants:  the start never moves to an instant before an earlier one; an ended belief never
// comes back. Threads:     none; the owner serialises calls.      Never does: read a clock.
#pragma once

#include <optional>

#include "lock/instant.hpp"
#include "lock/record.hpp"

namespace dexlock {

class Belief {
 public:
  // `start`: read before the confirming message left. `lease`: what the record shows, never an
  // argument of the present call.
  Belief(Instant start, Nanoseconds lease) : start_(start), lease_(lease) {}

  // A message sent at `start` was confirmed by a majority.
  void confirmed(Instant start) {
    start_.boot = std::max(start_.boot, start.boot);
    start_.raw = std::max(start_.raw, start.raw);
  }

  [[nodiscard]] bool holds(Instant now) const { return remaining(now) > Nanoseconds(0); }

  // Time left, not above zero when it is over.
  [[nodiscard]] Nanoseconds remaining(Instant now) const {
    return lease_ - elapsed_for_holder(start_, now);
  }

  [[nodiscard]] Instant start() const { return start_; }
  [[nodiscard]] Nanoseconds lease() const { return lease_; }

 private:
  Instant start_;
  Nanoseconds lease_;
};

}  // namespace dexlock
