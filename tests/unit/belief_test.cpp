#include "lease/belief.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

using std::chrono::seconds;

constexpr Instant at(std::int64_t boot, std::int64_t raw) { return {seconds(boot), seconds(raw)}; }
constexpr Instant at(std::int64_t both) { return at(both, both); }

// T2: from the sending on, whatever it took to be confirmed.
TEST(Belief, LastsFromTheSendingForTheLeaseAndNotAnInstantLonger) {
  const Belief belief(at(100), seconds(10));
  EXPECT_TRUE(belief.holds(at(100)));
  EXPECT_TRUE(belief.holds({seconds(110) - Nanoseconds(1), seconds(110) - Nanoseconds(1)}));
  EXPECT_FALSE(belief.holds(at(110)));
  EXPECT_EQ(belief.remaining(at(104)), seconds(6));
  EXPECT_LE(belief.remaining(at(111)), seconds(0));
}

TEST(Belief, IsProlongedByAConfirmedRenewalFromItsStart) {
  Belief belief(at(100), seconds(10));
  belief.confirmed(at(105));
  EXPECT_TRUE(belief.holds(at(114)));
  EXPECT_FALSE(belief.holds(at(115)));
}

TEST(Belief, IsNotShortenedByALateConfirmationOfAnEarlierRenewal) {
  Belief belief(at(100), seconds(10));
  belief.confirmed(at(105));
  belief.confirmed(at(102));
  EXPECT_EQ(belief.start(), at(105));
  EXPECT_TRUE(belief.holds(at(114)));
}

// Protocol 6.1: the boot clock runs through a suspend, the raw one may stop.
TEST(Belief, EndsDuringASuspend) {
  const Belief belief(at(100), seconds(10));
  EXPECT_FALSE(belief.holds(at(1000, 101)));
}

// Protocol 6.1: the boot clock may be slewed, the raw one never is.
TEST(Belief, IsNotStretchedByASlewedClock) {
  const Belief belief(at(100), seconds(10));
  EXPECT_FALSE(belief.holds(at(109, 110)));
}

}  // namespace
}  // namespace dexlock
