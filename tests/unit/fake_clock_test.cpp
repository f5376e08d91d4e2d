#include "sim/fake_clock.hpp"

#include <gtest/gtest.h>

namespace dexlock::sim {
namespace {

using std::chrono::seconds;

TEST(FakeClock, RunsAtItsRateSinceTheBoot) {
  FakeClock clock(Instant{seconds(100), seconds(50)}, {.boot_ppm = 1000, .raw_ppm = -1000});
  const Instant later = clock.at(seconds(1000));
  EXPECT_EQ(later.boot, seconds(1101));
  EXPECT_EQ(later.raw, seconds(1049));
}

TEST(FakeClock, JumpsForwardOnTheBootClockOnly) {
  FakeClock clock(Instant{seconds(100), seconds(50)}, {});
  clock.jump(seconds(10), seconds(1000));
  EXPECT_EQ(clock.at(seconds(11)).boot, seconds(1111));
  EXPECT_EQ(clock.at(seconds(11)).raw, seconds(61));
  EXPECT_EQ(clock.when_boot_shows(seconds(1112), seconds(11)), seconds(12));
}

TEST(FakeClock, PutsWhatItJumpedOverAtTheMomentOfTheJump) {
  FakeClock clock(Instant{seconds(100), seconds(50)}, {});
  clock.jump(seconds(10), seconds(1000));
  EXPECT_EQ(clock.true_time_of(seconds(105)), seconds(5));
  EXPECT_EQ(clock.true_time_of(seconds(600)), seconds(10));
  EXPECT_EQ(clock.true_time_of(seconds(1115)), seconds(15));
}

}  // namespace
}  // namespace dexlock::sim
