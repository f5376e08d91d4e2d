// By how much another clock runs faster than ours, from readings of it that we have asked for.
//
// Of two readings: between them the other clock has gone on by shown' - shown, give or take a tick,
// while ours has gone on by asked' - received at least and received' - asked at most. Of many such
// pairs the closest bounds count.
//
// Threads: plain values.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

namespace dexlock {

struct ClockSample {
  std::chrono::nanoseconds asked{};     // by ours
  std::chrono::nanoseconds received{};  // by ours
  std::chrono::nanoseconds shown{};     // by the other one, at some time in between
  std::chrono::nanoseconds tick{};      // how coarse that is
};

// Parts per million; negative: it is slower. The true difference lies between the two.
struct RateBounds {
  double least = 0;
  double most = 0;
};

class ClockRate {
 public:
  void add_first(const ClockSample& sample) { first_.push_back(sample); }
  void add_last(const ClockSample& sample) { last_.push_back(sample); }

  // Nothing: too little is known, or a clock has jumped.
  [[nodiscard]] std::optional<RateBounds> bounds() const {
    std::optional<RateBounds> found;
    for (const ClockSample& from : first_) {
      for (const ClockSample& to : last_) {
        const double shortest = seconds(to.asked - from.received);
        const double longest = seconds(to.received - from.asked);
        if (shortest <= 0) {
          continue;
        }
        const double shown = seconds(to.shown - from.shown);
        const double tick = seconds(std::max(to.tick, from.tick));
        const double least = 1e6 * ((shown - tick) / longest - 1);
        const double most = 1e6 * ((shown + tick) / shortest - 1);
        found = found ? RateBounds{std::max(found->least, least), std::min(found->most, most)}
                      : RateBounds{least, most};
      }
    }
    return found && found->least <= found->most ? found : std::nullopt;
  }

 private:
  static double seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
  }

  std::vector<ClockSample> first_;
  std::vector<ClockSample> last_;
};

}  // namespace dexlock
