#include "lease/observer.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

using std::chrono::seconds;

constexpr Instant at(std::int64_t boot, std::int64_t raw) { return {seconds(boot), seconds(raw)}; }
constexpr Instant at(std::int64_t both) { return at(both, both); }
constexpr ObservationTimes kNeeded{.claimed = seconds(10), .unclaimed = seconds(10)};

const BootId kBoot{"boot"};
const GrantId kVictim{{7}, {"op"}};

struct ObserverTest : testing::Test {
  Observer observer{kVictim, 3};

  void saw(std::size_t server, std::uint32_t beat, std::int64_t when, const BootId& boot = kBoot) {
    observer.saw(server, beat, boot, false, at(when));
  }
};

TEST_F(ObserverTest, IsReadyWhenAMajorityHasShownNoChangeForLongEnough) {
  saw(0, 4, 100);
  saw(1, 5, 101);
  EXPECT_FALSE(observer.ready(kNeeded, at(110)));
  const auto basis = observer.ready(kNeeded, at(111));
  ASSERT_TRUE(basis);
  EXPECT_EQ(basis->victim, kVictim);
  EXPECT_EQ(basis->beat, 5U) << "the highest of the servers that count";
  EXPECT_EQ(basis->boots, std::vector{kBoot});
}

TEST_F(ObserverTest, IsNotReadyOneNanosecondEarly) {
  saw(0, 4, 100);
  saw(1, 4, 100);
  const Nanoseconds almost = seconds(110) - Nanoseconds(1);
  EXPECT_FALSE(observer.ready(kNeeded, {almost, almost}));
  EXPECT_TRUE(observer.ready(kNeeded, at(110)));
}

TEST_F(ObserverTest, CountsNoServerTwice) {
  saw(0, 4, 100);
  saw(0, 4, 101);
  saw(0, 4, 102);
  EXPECT_FALSE(observer.ready(kNeeded, at(1000)));
  EXPECT_EQ(observer.wait_left(kNeeded, at(1000)), std::nullopt);
}

// T1: `since` is the first receipt of what it still shows; asking again does not restart it.
TEST_F(ObserverTest, KeepsTheInstantOfTheFirstReceipt) {
  saw(0, 4, 100);
  saw(0, 4, 109);
  ASSERT_TRUE(observer.sightings()[0]);
  EXPECT_EQ(observer.sightings()[0]->since, at(100));
}

TEST_F(ObserverTest, StartsAgainOnASignOfLife) {
  for (std::size_t server = 0; server < 2; ++server) {
    saw(server, 4, 100);
    saw(server, 5, 105);
  }
  EXPECT_FALSE(observer.ready(kNeeded, at(114)));
  EXPECT_TRUE(observer.ready(kNeeded, at(115)));
}

// T7: a restarted server has forgotten heartbeats; its silence proves nothing yet.
TEST_F(ObserverTest, StartsAgainOnANewBootId) {
  saw(0, 0, 100);
  saw(1, 0, 100);
  saw(0, 0, 105, BootId{"other"});
  EXPECT_FALSE(observer.ready(kNeeded, at(114)));
  const auto basis = observer.ready(kNeeded, at(115));
  ASSERT_TRUE(basis);
  EXPECT_EQ(basis->boots.size(), 2U);
}

// T7: back to an earlier number under the same boot id is a change as well.
TEST_F(ObserverTest, StartsAgainWhenANumberGoesBack) {
  saw(0, 4, 100);
  saw(1, 4, 100);
  saw(0, 3, 105);
  EXPECT_FALSE(observer.ready(kNeeded, at(114)));
}

// L2: one crash-looping server postpones nothing, and its heartbeats and boot ids are no evidence.
TEST_F(ObserverTest, IsNotPostponedByOneServerThatKeepsChanging) {
  saw(0, 4, 100);
  saw(1, 4, 100);
  for (int i = 0; i < 20; ++i) {
    saw(2, 90, 100 + i, BootId{"boot" + std::to_string(i)});
  }
  const auto basis = observer.ready(kNeeded, at(110));
  ASSERT_TRUE(basis);
  EXPECT_EQ(basis->beat, 4U);
  EXPECT_EQ(basis->boots, std::vector{kBoot});
}

// Protocol 6.1: an observer takes the smaller of its clocks.
TEST_F(ObserverTest, CountsNeitherSuspendNorAFastClockInItsFavour) {
  saw(0, 4, 100);
  saw(1, 4, 100);
  EXPECT_FALSE(observer.ready(kNeeded, at(1000, 109)));
  EXPECT_FALSE(observer.ready(kNeeded, at(109, 1000)));
}

// A server where the lock has moved on is no witness; the others remain.
TEST_F(ObserverTest, IsNotStoppedByOneServerThatShowsTheVictimNoLonger) {
  for (std::size_t server = 0; server < 3; ++server) {
    saw(server, 4, 100);
  }
  observer.forget(0);
  EXPECT_TRUE(observer.ready(kNeeded, at(110)));
  observer.forget(1);
  EXPECT_FALSE(observer.ready(kNeeded, at(1000))) << "one witness is no majority";
  EXPECT_FALSE(observer.empty());
  observer.forget(2);
  EXPECT_TRUE(observer.empty());
}

TEST_F(ObserverTest, TellsHowLongItStillTakes) {
  saw(0, 4, 100);
  saw(1, 4, 103);
  EXPECT_EQ(observer.wait_left(kNeeded, at(104)), seconds(9));
  saw(2, 4, 101);
  EXPECT_EQ(observer.wait_left(kNeeded, at(104)), seconds(7));
  EXPECT_EQ(observer.wait_left(kNeeded, at(500)), seconds(0));
}

// L1: what another process of this host saw counts, complete and only where nothing newer is known.
TEST_F(ObserverTest, RecallsSightingsOfEarlierProcesses) {
  observer.recall(0, Sighting{4, kBoot, at(100)});
  observer.recall(1, Sighting{4, kBoot, at(100)});
  EXPECT_TRUE(observer.ready(kNeeded, at(110)));
  saw(0, 5, 109);
  observer.recall(0, Sighting{5, kBoot, at(90)});
  EXPECT_FALSE(observer.ready(kNeeded, at(110))) << "it saw for itself when 5 appeared";
}

// A lock that was handed over and not claimed is soon free again. But a server that was restarted
// since may have lost the heartbeat that claimed it, so its silence proves nothing.
TEST_F(ObserverTest, AShortLeaseIsBelievedOfServersThatCanHaveLostNoHeartbeatOnly) {
  constexpr ObservationTimes kHandedOver{.claimed = seconds(10), .unclaimed = seconds(2)};
  observer.saw(0, 0, kBoot, true, at(100));
  observer.saw(1, 0, kBoot, false, at(100));
  EXPECT_EQ(observer.wait_left(kHandedOver, at(100)), seconds(10));
  EXPECT_FALSE(observer.ready(kHandedOver, at(109)));
  EXPECT_TRUE(observer.ready(kHandedOver, at(110)));

  observer.saw(2, 0, kBoot, true, at(101));
  EXPECT_FALSE(observer.ready(kHandedOver, at(102)));
  EXPECT_TRUE(observer.ready(kHandedOver, at(103)));

  observer.saw(2, 0, BootId{"later"}, false, at(104));
  EXPECT_FALSE(observer.ready(kHandedOver, at(109))) << "what it had it may have lost";
}

TEST_F(ObserverTest, AHandedOverLockThatWasClaimedIsWaitedOutInFull) {
  constexpr ObservationTimes kHandedOver{.claimed = seconds(10), .unclaimed = seconds(2)};
  observer.saw(0, 1, kBoot, true, at(100));
  observer.saw(1, 1, kBoot, true, at(100));
  EXPECT_FALSE(observer.ready(kHandedOver, at(109)));
  EXPECT_TRUE(observer.ready(kHandedOver, at(110)));
}

TEST_F(ObserverTest, StaysAWholeWitnessUnderOneBootOnly) {
  observer.saw(0, 0, kBoot, true, at(100));
  observer.saw(0, 1, kBoot, false, at(101));
  EXPECT_TRUE(observer.sightings()[0]->whole);
  observer.saw(0, 1, BootId{"later"}, false, at(102));
  EXPECT_FALSE(observer.sightings()[0]->whole);
}

}  // namespace
}  // namespace dexlock
