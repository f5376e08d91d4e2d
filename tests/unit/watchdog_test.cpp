#include "process/watchdog.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

StopLadder ladder(seconds lease, seconds stop) {
  return stop_ladder({.lease = lease, .stop = stop});
}

TEST(Watchdog, ItsTimeLeavesRoomForOneLateRenewal) {
  EXPECT_EQ(watchdog_time(ladder(seconds(30), seconds(0))), seconds(18));
  EXPECT_EQ(watchdog_time(ladder(seconds(30), seconds(12))), seconds(30));
  EXPECT_EQ(watchdog_time(ladder(seconds(1), seconds(0))), seconds(0));
}

TEST(Watchdog, IsFedOnlyWhileItRunsOutBeforeOthersMayStart) {
  const StopLadder steps = ladder(seconds(30), seconds(0));
  EXPECT_TRUE(may_feed(seconds(12), seconds(18), steps));
  EXPECT_FALSE(may_feed(milliseconds(12'001), seconds(18), steps));
}

}  // namespace
}  // namespace dexlock
