// A value stored with the lock: by whom, over what losses, and what is not known afterwards.
#include <gtest/gtest.h>

#include "cluster.hpp"

namespace dexlock {
namespace {

using std::chrono::seconds;

struct SessionValueTest : testing::Test {
  FakeCluster cluster{3};
  std::size_t a = cluster.add("a");

  void SetUp() override {
    cluster.acquire(a);
    cluster.run_for(Nanoseconds(0));
    ASSERT_TRUE(cluster.holds(a));
  }
  Record newest() { return cluster.chosen.rbegin()->second; }
};

TEST_F(SessionValueTest, IsStoredAndTheHolderGoesOn) {
  cluster.store(a, "v");
  cluster.run_for(Nanoseconds(0));
  EXPECT_EQ(cluster.count<Stored>(a), 1U);
  EXPECT_EQ(newest().data, "v");
  EXPECT_EQ(newest().data_token, FencingToken{1});
  cluster.run_for(seconds(60));
  EXPECT_TRUE(cluster.holds(a)) << "it renews at the new ballot";
  cluster.release(a);
  cluster.run_for(Nanoseconds(0));
  EXPECT_EQ(cluster.count<Released>(a), 1U);
  EXPECT_EQ(newest().data, "v");
}

TEST_F(SessionValueTest, OneThatIsAskedForMeanwhileIsStoredAfterIt) {
  cluster.store(a, "v");
  cluster.deliver_all(FakeCluster::asking<Prepare>());
  cluster.deliver_all([](const auto& m) { return m.reply && std::get_if<Prepare>(&m.request); });
  cluster.store(a, "w");
  cluster.run_for(Nanoseconds(0));
  EXPECT_EQ(cluster.count<Stored>(a), 1U) << "of the second";
  EXPECT_EQ(newest().data, "w");
}

TEST_F(SessionValueTest, OneThatIsAskedForDuringAHandOverThatIsDeclinedIsStored) {
  cluster.hand_over(a);
  cluster.store(a, "v");
  cluster.run_for(Nanoseconds(0));
  EXPECT_EQ(cluster.count<NotHandedOver>(a), 1U);
  EXPECT_EQ(cluster.count<Stored>(a), 1U);
  EXPECT_EQ(newest().data, "v");
  EXPECT_TRUE(cluster.holds(a));
}

TEST_F(SessionValueTest, GoesOnTryingWhileItHolds) {
  cluster.store(a, "v");
  cluster.run_for(seconds(2), [](const auto& m) {
    return !std::holds_alternative<Prepare>(m.request) &&
           !std::holds_alternative<Accept>(m.request);
  });
  EXPECT_EQ(cluster.count<Stored>(a), 0U);
  cluster.run_for(seconds(15));
  EXPECT_EQ(cluster.count<Stored>(a), 1U);
  EXPECT_TRUE(cluster.holds(a));
}

// Its accept comes late, when somebody else holds the lock: no value of the past comes back.
TEST_F(SessionValueTest, ThatComesLateChangesNothing) {
  const auto b = cluster.add("b");
  cluster.acquire(b);
  cluster.store(a, "v");
  cluster.deliver_all([](const auto& m) { return std::get_if<Prepare>(&m.request) != nullptr; });
  const auto late = cluster.wire;
  cluster.kill(a);
  cluster.wire.clear();
  cluster.run_for(seconds(40));
  ASSERT_TRUE(cluster.holds(b));
  cluster.store(b, "w");
  cluster.run_for(Nanoseconds(0));
  cluster.wire.insert(cluster.wire.end(), late.begin(), late.end());
  cluster.run_for(seconds(5));
  EXPECT_EQ(newest().data, "w");
  EXPECT_EQ(newest().data_token, FencingToken{2});
  EXPECT_TRUE(cluster.holds(b));
}

TEST_F(SessionValueTest, IsNoLongerStoredOnceTheLockIsLost) {
  cluster.client(a).renews = false;
  cluster.store(a, "v");
  cluster.run_for(seconds(11), [](const auto&) { return false; });
  EXPECT_EQ(cluster.count<Lost>(a), 1U);
  cluster.run_for(seconds(5));
  EXPECT_EQ(cluster.count<Stored>(a), 0U);
  cluster.store(a, "w");
  cluster.run_for(seconds(5));
  EXPECT_EQ(newest().data, "");
}

TEST_F(SessionValueTest, SaysThatTheRecordHasNoRoomAndGoesOnHolding) {
  cluster.store(a, std::string(kDataBytesMax + 1, 'd'));
  cluster.run_for(seconds(30));
  EXPECT_EQ(cluster.count<NotStored>(a), 1U);
  EXPECT_TRUE(cluster.holds(a));
}

}  // namespace
}  // namespace dexlock
