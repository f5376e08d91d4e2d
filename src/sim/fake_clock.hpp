// The two clocks of a simulated host as functions of true time: each has a rate, and each can
// stand still (a suspended machine's raw clock does) while true time goes on.
//
// Invariants:  neither clock ever goes back, except over a reboot.
// Threads:     none.        Never does: read a real clock.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lock/instant.hpp"

namespace dexlock::sim {

struct ClockRates {
  std::int64_t boot_ppm = 0;  // faster than true time by that much
  std::int64_t raw_ppm = 0;
  bool boot_runs = true;
  bool raw_runs = true;
};

class FakeClock {
 public:
  FakeClock(Instant shown, ClockRates rates) { restart(Nanoseconds(0), shown, rates); }

  // The host rebooted at `now`: what was shown before means nothing any more.
  void restart(Nanoseconds now, Instant shown, ClockRates rates);

  // From `now` on the clocks run like this.
  void change(Nanoseconds now, ClockRates rates);

  // The boot clock jumps forward, as no clock within the bound does.
  void jump(Nanoseconds now, Nanoseconds by);

  [[nodiscard]] ClockRates rates() const { return pieces_.back().rates; }
  [[nodiscard]] Instant at(Nanoseconds now) const;

  // The first true moment, not before `now`, at which the boot clock shows `boot`.
  [[nodiscard]] Nanoseconds when_boot_shows(Nanoseconds boot, Nanoseconds now) const;

  // The first true moment, not before `now`, at which a holder counts `span` since `from`.
  [[nodiscard]] Nanoseconds when_holder_counts(Instant from, Nanoseconds span,
                                               Nanoseconds now) const;

  // The true moment at which the boot clock showed `boot`, since the last reboot.
  [[nodiscard]] Nanoseconds true_time_of(Nanoseconds boot) const;

 private:
  struct Piece {
    Nanoseconds from;
    Instant shown;
    ClockRates rates;
  };

  std::vector<Piece> pieces_;  // since the last reboot, oldest first
};

}  // namespace dexlock::sim
