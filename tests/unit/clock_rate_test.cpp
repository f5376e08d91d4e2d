#include "client/clock_rate.hpp"

#include <gtest/gtest.h>

#include "lock/random.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// A clock that runs `ppm` too fast, shown in whole ticks, asked over a slow and uneven network.
class OtherClock {
 public:
  OtherClock(double ppm, nanoseconds tick, std::uint64_t seed)
      : ppm_(ppm), tick_(tick), random_(seed) {}

  ClockSample sample(nanoseconds at) {
    const nanoseconds there(random_.below(2'000'000));
    const nanoseconds back(random_.below(2'000'000));
    const double exact = 5e12 + static_cast<double>((at + there).count()) * (1 + ppm_ / 1e6);
    auto shown = nanoseconds(static_cast<std::int64_t>(exact));
    if (tick_.count() > 0) {
      shown -= shown % tick_;
    }
    return {.asked = at, .received = at + there + back, .shown = shown, .tick = tick_};
  }

 private:
  double ppm_;
  nanoseconds tick_;
  Random random_;
};

RateBounds measured(OtherClock clock, milliseconds between) {
  ClockRate rate;
  for (int n = 0; n < 10; ++n) {
    rate.add_first(clock.sample(milliseconds(7 * n)));
    rate.add_last(clock.sample(between + milliseconds(7 * n)));
  }
  const auto bounds = rate.bounds();
  EXPECT_TRUE(bounds);
  return bounds.value_or(RateBounds{});
}

TEST(ClockRate, LiesBetweenItsBounds) {
  for (const double ppm : {-20'000.0, -1'500.0, -30.0, 0.0, 40.0, 1'200.0, 50'000.0}) {
    for (const nanoseconds tick : {nanoseconds(0), nanoseconds(10'000'000)}) {
      for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        const RateBounds bounds = measured(OtherClock(ppm, tick, seed), milliseconds(3'000));
        EXPECT_LE(bounds.least, ppm + 0.01) << seed;
        EXPECT_GE(bounds.most, ppm - 0.01) << seed;
        EXPECT_LT(bounds.most - bounds.least, 8'000) << seed;
      }
    }
  }
}

TEST(ClockRate, IsFinerTheLongerItIsMeasured) {
  const RateBounds brief = measured(OtherClock(100, nanoseconds(0), 7), milliseconds(1'000));
  const RateBounds longer = measured(OtherClock(100, nanoseconds(0), 7), milliseconds(60'000));
  EXPECT_LT(longer.most - longer.least, (brief.most - brief.least) / 10);
}

TEST(ClockRate, IsNotKnownWithoutTwoTimesOrOfAClockThatJumps) {
  ClockRate none;
  EXPECT_FALSE(none.bounds());
  ClockRate once;
  once.add_first({.asked = milliseconds(1), .received = milliseconds(2)});
  EXPECT_FALSE(once.bounds());
  ClockRate jumping;
  jumping.add_first(
      {.asked = milliseconds(1), .received = milliseconds(2), .shown = milliseconds(9)});
  jumping.add_first(
      {.asked = milliseconds(3), .received = milliseconds(4), .shown = milliseconds(90)});
  jumping.add_last({.asked = milliseconds(99), .received = milliseconds(100)});
  EXPECT_FALSE(jumping.bounds());
}

}  // namespace
}  // namespace dexlock
