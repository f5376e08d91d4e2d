// Sessions and the fast ballot: a free lock in one round trip, and what comes of it otherwise.
#include <gtest/gtest.h>

#include "cluster.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct SessionFastTest : testing::Test {
  FakeCluster cluster{3};

  SessionFastTest() { cluster.fast_ballots = true; }

  template <class R>
  std::size_t asked() {
    return static_cast<std::size_t>(std::ranges::count_if(cluster.wire, FakeCluster::asking<R>()));
  }
  // One message there, one back.
  void round_trip() {
    const std::size_t requests = cluster.wire.size();
    for (std::size_t i = 0; i < 2 * requests; ++i) {
      cluster.deliver(0);
    }
  }
  [[nodiscard]] OpId op_of(std::size_t client) const {
    const auto at = std::ranges::find_if(cluster.wire, [&](const auto& m) {
      return m.client == client && std::holds_alternative<Fast>(m.request);
    });
    return std::get<Fast>(at->request).op;
  }
  std::size_t asks(const std::string& name) {
    const std::size_t client = cluster.add(name);
    cluster.acquire(client);
    return client;
  }
};

TEST_F(SessionFastTest, TakesALockThatNobodyEverHadInOneRoundTrip) {
  const auto a = asks("a");
  EXPECT_EQ(asked<Fast>(), 3U);
  round_trip();
  EXPECT_TRUE(cluster.holds(a));
  EXPECT_EQ(cluster.session(a).token(), FencingToken{1});
  EXPECT_TRUE(cluster.wire.empty());
}

TEST_F(SessionFastTest, AndOneThatAnotherHasReleasedWithoutKnowingOfIt) {
  const auto a = asks("a");
  round_trip();
  cluster.release(a);
  round_trip();
  ASSERT_EQ(cluster.count<Released>(a), 1U);
  const auto b = asks("b");
  round_trip();
  EXPECT_TRUE(cluster.holds(b));
  EXPECT_EQ(cluster.session(b).token(), FencingToken{2});
}

TEST_F(SessionFastTest, CountsItsLeaseFromBeforeItAsked) {
  const auto a = cluster.add("a");
  const Instant before = cluster.clock(a);
  cluster.acquire(a);
  cluster.pass(seconds(1));
  round_trip();
  ASSERT_TRUE(cluster.holds(a));
  EXPECT_EQ(cluster.session(a).belief()->start(), before);
}

TEST_F(SessionFastTest, SavesThatItMayBeListedBeforeItAsks) {
  const auto a = asks("a");
  ASSERT_FALSE(cluster.client(a).saved.empty());
  EXPECT_TRUE(parse_saved(cluster.client(a).saved)->maybe_listed);
}

TEST_F(SessionFastTest, ReleasesInOneRoundTripAfterIt) {
  const auto a = asks("a");
  round_trip();
  cluster.release(a);
  EXPECT_EQ(asked<Accept>(), 3U);
  round_trip();
  EXPECT_EQ(cluster.count<Released>(a), 1U);
}

TEST_F(SessionFastTest, KeepsItsLockByHeartbeats) {
  const auto a = asks("a");
  cluster.run_for(seconds(60));
  EXPECT_TRUE(cluster.holds(a));
  EXPECT_EQ(cluster.count<Lost>(a), 0U);
}

TEST_F(SessionFastTest, IsEvictedLikeAnyOtherWhenItDies) {
  const auto a = asks("a");
  round_trip();
  cluster.kill(a);
  const auto b = asks("b");
  cluster.run_for(seconds(9));
  EXPECT_FALSE(cluster.holds(b));
  cluster.run_for(seconds(5));
  EXPECT_TRUE(cluster.holds(b));
}

TEST_F(SessionFastTest, AsksForNoFastBallotWhereAServerIsKnownToBeDown) {
  const auto a = cluster.add("a");
  static_cast<void>(cluster.session(a).acquire(Patience::wait, cluster.clock(a), false));
  EXPECT_EQ(asked<Fast>(), 0U);
}

// A server that does not answer costs a part of a round trip more than the classic two.
TEST_F(SessionFastTest, WaitsForASilentServerNotMuchLongerThanForTheOthers) {
  cluster.server(2).up = false;
  const auto a = asks("a");
  cluster.pass(milliseconds(30));
  cluster.deliver_all(FakeCluster::any());
  EXPECT_EQ(asked<Prepare>(), 0U);
  ASSERT_TRUE(cluster.session(a).wake_at());
  EXPECT_LE(*cluster.session(a).wake_at() - cluster.clock(a).boot, milliseconds(15));
  cluster.run_for(milliseconds(15));
  EXPECT_TRUE(cluster.holds(a));
}

TEST_F(SessionFastTest, WhoeverWaitsInLineComesFirst) {
  const auto asks_in_line = [&](const std::string& name) {
    const auto client = cluster.add(name);
    cluster.client(client).setup.queues = true;
    cluster.start(client);
    cluster.acquire(client);
    return client;
  };
  const auto a = asks_in_line("a");
  round_trip();
  const auto w = asks_in_line("w");
  cluster.run_for(milliseconds(100));
  cluster.release(a);  // knows of nobody
  cluster.deliver_all(FakeCluster::of(a));
  const auto b = asks_in_line("b");
  cluster.run_for(seconds(2));
  EXPECT_TRUE(cluster.holds(w));
  EXPECT_FALSE(cluster.holds(b));
}

// One server gets the request only when its sender has had the lock by the others and gone.
TEST_F(SessionFastTest, AMessageThatCameLateIsReleasedByTheNextRelease) {
  const auto a = asks("a");
  const auto late = [&](const auto& m) {
    return m.client == a && m.server == 2 && std::holds_alternative<Fast>(m.request);
  };
  cluster.deliver_all([&](const auto& m) { return !late(m); });
  cluster.pass(milliseconds(10));
  cluster.wake(a);
  cluster.deliver_all([&](const auto& m) { return !late(m); });
  ASSERT_TRUE(cluster.holds(a));
  cluster.release(a);
  cluster.deliver_all([&](const auto& m) { return !late(m); });
  ASSERT_EQ(cluster.count<Released>(a), 1U);
  const auto b = asks("b");
  cluster.deliver_all([&](const auto& m) { return !late(m); });
  ASSERT_TRUE(cluster.holds(b));
  cluster.release(b);
  cluster.deliver_all([&](const auto& m) { return !late(m); });
  cluster.deliver_all(late);
  ASSERT_NE(cluster.server(2).durable.value->find(ClientId{"a"}), nullptr);
  cluster.release(a);
  cluster.run_for(seconds(1));
  EXPECT_EQ(cluster.count<Released>(a), 2U);
  EXPECT_EQ(cluster.server(2).durable.value->find(ClientId{"a"}), nullptr);
}

TEST_F(SessionFastTest, AMessageThatCameOnceMoreIsReleasedToo) {
  const auto a = asks("a");
  const auto again = cluster.wire[2];
  ASSERT_TRUE(std::holds_alternative<Fast>(again.request));
  cluster.deliver_all(FakeCluster::any());
  ASSERT_TRUE(cluster.holds(a));
  cluster.release(a);
  cluster.deliver_all(FakeCluster::any());
  const auto b = asks("b");
  cluster.deliver_all(FakeCluster::any());
  ASSERT_TRUE(cluster.holds(b));
  cluster.release(b);
  cluster.deliver_all(FakeCluster::any());
  cluster.wire.push_back(again);
  cluster.deliver_all(FakeCluster::any());
  ASSERT_NE(cluster.server(again.server).durable.value->find(ClientId{"a"}), nullptr);
  cluster.kill(a);
  cluster.start(a);
  cluster.release(a);
  cluster.run_for(seconds(1));
  EXPECT_EQ(cluster.server(again.server).durable.value->find(ClientId{"a"}), nullptr);
}

// Nor does it keep anybody from the lock.
TEST_F(SessionFastTest, AVoteOfSomebodyWhoIsGoneStandsInNobodysWay) {
  const auto a = asks("a");
  ASSERT_TRUE(cluster.deliver_one([&](const auto& m) { return m.server == 2; }));
  cluster.kill(a);
  cluster.drop(FakeCluster::any());
  const auto b = asks("b");
  cluster.run_for(seconds(1));
  EXPECT_TRUE(cluster.holds(b));
}

// A gives way to B for the tie on the servers it hears first, B to A for the other two.
TEST_F(SessionFastTest, TwoWhoGiveWayToEachOtherDoNotBothGoWithoutIt) {
  const auto once = [&](const std::string& name) {
    const auto client = cluster.add(name);
    cluster.acquire(client, Patience::once);
    return client;
  };
  const auto a = once("a");
  const auto b = once("b");
  const auto asks_of = [&](std::size_t client, std::size_t server) {
    ASSERT_TRUE(cluster.deliver_one(
        [&](const auto& m) { return m.client == client && m.server == server && !m.reply; }));
  };
  const bool b_is_smaller = op_of(b) < op_of(a);
  const auto [most, fewer] = b_is_smaller ? std::pair(a, b) : std::pair(b, a);
  for (const std::size_t server : {0U, 2U}) {
    asks_of(most, server);
    asks_of(fewer, server);
  }
  asks_of(fewer, 1);
  asks_of(most, 1);
  const auto answers = [&](std::size_t client, std::size_t server) {
    ASSERT_TRUE(cluster.deliver_one(
        [&](const auto& m) { return m.client == client && m.server == server && m.reply; }));
  };
  answers(most, 0);
  answers(most, 1);  // a tie: the smaller operation
  answers(fewer, 0);
  answers(fewer, 2);  // two votes for the other one
  cluster.run_for(seconds(2));
  EXPECT_NE(cluster.holds(a), cluster.holds(b));
}

// Each of three asks another server first: one vote each.
TEST_F(SessionFastTest, OfThreeAtOnceOneGetsIt) {
  std::vector<std::size_t> rivals;
  for (std::size_t i = 0; i < 3; ++i) {
    rivals.push_back(asks(std::string(1, static_cast<char>('a' + i))));
  }
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(
        cluster.deliver_one([&](const auto& m) { return m.client == rivals[i] && m.server == i; }));
  }
  cluster.run_for(milliseconds(500));
  EXPECT_EQ(std::ranges::count_if(rivals, [&](auto one) { return cluster.holds(one); }), 1);
}

// Whatever the order in which their messages arrive, several who try once do not all go without a
// lock that is free.
TEST_F(SessionFastTest, OfSeveralWhoTryOnceSomebodyGetsIt) {
  Random random(7);
  for (const auto& [servers, rivals] :
       {std::pair(3U, 2U), {3U, 3U}, {5U, 2U}, {5U, 5U}, {4U, 2U}}) {
    int nobody = 0;
    constexpr int kRuns = 400;
    for (int run = 0; run < kRuns; ++run) {
      FakeCluster race(servers);
      race.fast_ballots = true;
      for (unsigned i = 0; i < rivals; ++i) {
        race.add(std::to_string(run) + "r" + std::to_string(i));
        race.acquire(i, Patience::once);
      }
      for (int steps = 0; steps < 5000; ++steps) {
        if (!race.wire.empty()) {
          race.deliver(random.below(race.wire.size()));
          race.pass(std::chrono::microseconds(20));
        } else if (const auto [at, client] = race.next_timer(); at < seconds(5)) {
          race.pass(std::max(at - race.now(), Nanoseconds(0)));
          race.fire(client);
        } else {
          break;
        }
        for (unsigned i = 0; i < rivals; ++i) {
          if (race.session(i).wake_at() && *race.session(i).wake_at() <= race.clock(i).boot) {
            race.wake(i);
          }
        }
        if (race.count<Granted>(0) + race.count<Granted>(1) > 0) {
          break;
        }
      }
      std::size_t granted = 0;
      for (unsigned i = 0; i < rivals; ++i) {
        granted += race.count<Granted>(i);
      }
      nobody += granted == 0 ? 1 : 0;
    }
    EXPECT_LE(nobody, kRuns / 100) << rivals << " at " << servers;
  }
}

// The same, and all three die: whoever comes later finds three grants of one token.
TEST_F(SessionFastTest, ThreeDeadRivalsDoNotBlockOthersForEver) {
  for (std::size_t i = 0; i < 3; ++i) {
    const auto one = asks(std::string(1, static_cast<char>('a' + i)));
    ASSERT_TRUE(
        cluster.deliver_one([&](const auto& m) { return m.client == one && m.server == i; }));
    cluster.kill(one);
  }
  cluster.drop(FakeCluster::any());
  const auto d = asks("d");
  cluster.run_for(seconds(30));
  EXPECT_TRUE(cluster.holds(d));
}

// A vote for a rival at the same fast ballot is no reason to stop, nor to raise an alarm.
TEST_F(SessionFastTest, AServerThatVotedForARivalIsNoAlarm) {
  FakeCluster five(5);
  five.fast_ballots = true;
  const auto b = five.add("b");
  five.acquire(b);
  ASSERT_TRUE(five.deliver_one([](const auto& m) { return m.server == 4; }));
  five.kill(b);
  five.drop(FakeCluster::any());
  const auto a = five.add("a");
  five.acquire(a);
  five.run_for(seconds(60));
  EXPECT_TRUE(five.holds(a));
  EXPECT_EQ(five.count<AlarmRaised>(a), 0U);
  EXPECT_EQ(five.count<Lost>(a), 0U);
}

}  // namespace
}  // namespace dexlock
