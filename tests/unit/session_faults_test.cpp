// Sessions among lost, late and repeated messages, servers that restart and clients that die half
// way. Each scenario names the trap it is about (T.., S.., L.. are those of the protocol's
// document).
#include <gtest/gtest.h>

#include "cluster.hpp"
#include "register/assembly.hpp"
#include "session/session.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanoseconds kNow{};
constexpr Ballot kAbove{.round = 50, .proposer = {9, 9}};

bool is_accept(const FakeCluster::Message& m) { return std::holds_alternative<Accept>(m.request); }
bool is_prepare(const FakeCluster::Message& m) {
  return std::holds_alternative<Prepare>(m.request);
}

struct SessionFaults : testing::Test {
  FakeCluster cluster{3};

  std::size_t holder(const std::string& name, const Claim& claim = {},
                     const FakeCluster::Filter& carried = FakeCluster::any()) {
    const std::size_t client = cluster.add(name, seconds(10), claim);
    cluster.acquire(client);
    cluster.run_for(kNow, carried);
    EXPECT_TRUE(cluster.holds(client)) << name;
    return client;
  }
  std::size_t waiter(const std::string& name, const Claim& claim = {}) {
    const std::size_t client = cluster.add(name, seconds(10), claim);
    cluster.acquire(client);
    cluster.run_for(kNow);
    EXPECT_FALSE(cluster.holds(client)) << name;
    return client;
  }
  // Proposes, but only `servers` get to see the value.
  std::size_t half_grant(const std::string& name, const std::set<std::size_t>& servers) {
    const std::size_t client = cluster.add(name);
    cluster.acquire(client);
    cluster.deliver_all(is_prepare);
    cluster.drop([&](const FakeCluster::Message& m) { return !servers.contains(m.server); });
    cluster.deliver_all(FakeCluster::asking<Accept>());
    cluster.drop(FakeCluster::any());
    EXPECT_FALSE(cluster.holds(client));
    return client;
  }
  // Finds the lock held because the servers that list the holder answer first.
  std::size_t watcher(const std::string& name) {
    const std::size_t client = cluster.add(name);
    cluster.session(client).start_above(5);
    cluster.acquire(client);
    cluster.run_for(kNow);
    EXPECT_FALSE(cluster.holds(client)) << name;
    return client;
  }
  // Is granted the lock by servers 1 and 2 alone, and sends no heartbeat yet.
  void grant_without_first_server(std::size_t client) {
    cluster.client(client).renews = false;
    cluster.session(client).start_above(10);
    cluster.acquire(client);
    cluster.run_for(kNow, [&](const auto& m) { return m.client == client && m.server != 0; });
    ASSERT_TRUE(cluster.holds(client));
  }
  Verdict ask(std::size_t server, const Request& request) {
    auto& s = cluster.server(server);
    return apply(s.durable, s.soft, s.boot, request).verdict;
  }
  void expect_at_most_one(const std::vector<std::size_t>& clients) {
    std::size_t holding = 0;
    for (const std::size_t client : clients) {
      holding += cluster.holds(client) ? 1U : 0U;
    }
    EXPECT_LE(holding, 1U) << "after " << cluster.now().count() << " ns";
  }
  void run_and_watch(Nanoseconds length, const std::vector<std::size_t>& clients) {
    for (const Nanoseconds end = cluster.now() + length; cluster.now() < end;) {
      cluster.run_for(milliseconds(20));
      expect_at_most_one(clients);
    }
  }
};

// T1: the observation begins when the evidence is received, however early it was asked for.
TEST_F(SessionFaults, ObservationStartsAtTheReceiptOfALateAnswer) {
  const auto a = holder("a");
  cluster.kill(a);
  const auto b = cluster.add("b");
  cluster.acquire(b);
  cluster.deliver_all(FakeCluster::asking<Prepare>());
  cluster.pass(seconds(3));
  const Instant receipt = cluster.clock(b);
  cluster.deliver_all(FakeCluster::any());
  const auto& observers = cluster.session(b).observers();
  ASSERT_EQ(observers.size(), 1U);
  for (const auto& sighting : observers.begin()->second.sightings()) {
    ASSERT_TRUE(sighting);
    EXPECT_EQ(sighting->since, receipt);
  }
}

// T4: the identity round lifts a fence but renews nothing.
TEST_F(SessionFaults, WritingTheRecordAnewIsNoRenewal) {
  const auto a = holder("a");
  const Instant start = cluster.session(a).belief()->start();
  for (const std::size_t server : {0U, 1U, 2U}) {
    EXPECT_EQ(ask(server, Prepare{.ballot = kAbove, .intent = Intent::force}), Verdict::promise);
  }
  cluster.pass(seconds(4));
  cluster.renew(a);
  cluster.run_for(kNow, [](const FakeCluster::Message& m) {
    return !std::holds_alternative<Heartbeat>(m.request) ||
           (m.reply && std::get<Answer>(*m.reply).verdict == Verdict::fenced) ||
           (!m.reply && std::get<Heartbeat>(m.request).granted < kAbove);
  });
  EXPECT_GT(cluster.server(0).durable.accepted, kAbove) << "the fence is lifted";
  EXPECT_EQ(cluster.session(a).belief()->start(), start);
  cluster.run_for(seconds(30));
  EXPECT_TRUE(cluster.holds(a)) << "heartbeats work again";
}

// T5: a sticky promise of its own does not save an evictor the proof.
TEST_F(SessionFaults, AnEvictionAlwaysPrepares) {
  const auto a = holder("a");
  cluster.kill(a);
  waiter("b");
  bool evicted = false;
  bool prepared = false;
  cluster.run_for(seconds(12), [&](const FakeCluster::Message& m) {
    if (const auto* prepare = std::get_if<Prepare>(&m.request)) {
      prepared = prepared || prepare->intent == Intent::evict;
    }
    if (is_accept(m)) {
      evicted = true;
      EXPECT_TRUE(prepared);
    }
    return true;
  });
  EXPECT_TRUE(evicted);
}

// T7: servers that forgot a heartbeat must not vouch that there was none.
TEST_F(SessionFaults, ARestartOfAllServersMakesObserversBeginAgain) {
  const auto a = holder("a");
  const auto b = waiter("b");
  cluster.kill(a);
  cluster.run_for(seconds(9));
  cluster.kill(b);  // it will see the restarted servers late
  cluster.start(a);
  cluster.client(a).renews = false;
  cluster.pass(milliseconds(900));
  cluster.renew(a);  // acknowledged, then forgotten by all
  cluster.run_for(kNow);
  for (const std::size_t server : {0U, 1U, 2U}) {
    cluster.reboot(server);
  }
  cluster.start(b);
  cluster.acquire(b);
  run_and_watch(seconds(9), {a, b});
  EXPECT_TRUE(cluster.holds(a));
}

TEST_F(SessionFaults, AnEvictorWhoseEvidenceIsOlderThanARestartIsRefused) {
  const auto a = holder("a");
  cluster.client(a).renews = false;
  const auto b = waiter("b");
  cluster.run_for(milliseconds(9'900), FakeCluster::of(b));
  cluster.renew(a);
  cluster.run_for(kNow);
  for (const std::size_t server : {0U, 1U, 2U}) {
    cluster.reboot(server);
  }
  run_and_watch(seconds(9), {a, b});
  EXPECT_FALSE(cluster.holds(b));
}

// L2: one server in a restart loop postpones no takeover.
TEST_F(SessionFaults, ACrashLoopingServerPostponesNothing) {
  const auto a = holder("a");
  const auto b = waiter("b");
  cluster.kill(a);
  for (int second = 0; second < 12; ++second) {
    cluster.reboot(2);
    cluster.run_for(seconds(1));
  }
  EXPECT_TRUE(cluster.holds(b));
}

// Protocol 3.3: the fence of an evictor that died is lifted by the holder.
TEST_F(SessionFaults, AHolderOutlivesAnEvictorThatDied) {
  const auto a = holder("a");
  for (const std::size_t server : {0U, 1U}) {
    EXPECT_EQ(ask(server, Prepare{.ballot = kAbove, .intent = Intent::force}), Verdict::promise);
  }
  cluster.run_for(seconds(60));
  EXPECT_TRUE(cluster.holds(a));
  EXPECT_EQ(cluster.count<Lost>(a), 0U);
}

// Protocol 10, item 2: the outcome of an acquisition whose answers are lost is found, not repeated.
TEST_F(SessionFaults, AGrantWhoseAcknowledgementsAreLostIsRecognised) {
  const auto a = cluster.add("a");
  cluster.client(a).renews = false;
  cluster.client(a).setup.attempt_limit = seconds(1);
  cluster.start(a);
  cluster.acquire(a);
  cluster.deliver_all(is_prepare);
  const Instant sent = cluster.clock(a);
  cluster.run_for(kNow, [](const auto& m) { return !(is_accept(m) && m.reply); });
  EXPECT_FALSE(cluster.holds(a));
  cluster.run_for(seconds(3));
  EXPECT_TRUE(cluster.holds(a));
  EXPECT_EQ(cluster.session(a).token(), FencingToken{1}) << "granted once";
  EXPECT_EQ(cluster.session(a).belief()->start(), sent) << "since the first value that may count";
}

// Protocol 10, items 1 and 2: what a majority rejected may still be chosen later, once.
TEST_F(SessionFaults, AReleaseOvertakesTheAcquisitionItGivesUp) {
  const auto a = cluster.add("a");
  cluster.acquire(a);
  cluster.deliver_all(is_prepare);
  std::vector<FakeCluster::Message> late = cluster.wire;
  cluster.wire.clear();
  cluster.release(a);
  cluster.run_for(seconds(1));
  EXPECT_EQ(cluster.count<Released>(a), 1U);
  cluster.wire = std::move(late);
  cluster.run_for(seconds(1));
  const auto b = holder("b");
  EXPECT_TRUE(cluster.holds(b));
  EXPECT_FALSE(cluster.holds(a));
}

TEST_F(SessionFaults, RepeatedAndReorderedMessagesChangeNothing) {
  const auto a = cluster.add("a");
  cluster.acquire(a);
  const auto b = cluster.add("b");
  cluster.acquire(b);
  Random random(4);
  for (int step = 0; step < 400 && !cluster.wire.empty(); ++step) {
    if (cluster.wire.size() < 30) {
      const auto& again = cluster.wire[random.below(cluster.wire.size())];
      cluster.wire.push_back(again);
    }
    cluster.deliver(random.below(cluster.wire.size()));
    expect_at_most_one({a, b});
  }
  cluster.wire.clear();
  cluster.run_for(seconds(20));
  expect_at_most_one({a, b});
  EXPECT_TRUE(cluster.holds(a) || cluster.holds(b));
}

// T14, Q10: two values at one ballot mean that an identity is in use twice: stop using the lock.
TEST_F(SessionFaults, StopsAtAnAlarmInTheMiddleOfAnAcquisition) {
  const auto a = cluster.add("a");
  cluster.acquire(a);
  cluster.deliver_all(is_prepare);
  const Ballot ballot = std::get<Accept>(cluster.wire.front().request).ballot;
  ask(0, Accept{ballot, Record{.count = 1, .op = {"twin"}}, {}, false});
  cluster.run_for(seconds(30));
  EXPECT_EQ(cluster.count<AlarmRaised>(a), 1U);
  EXPECT_FALSE(cluster.holds(a));
}

TEST_F(SessionFaults, StopsAtAnAlarmInAnswerToARepair) {
  const auto a = holder("a", {}, FakeCluster::to({0, 1}));
  const auto repair = [](const FakeCluster::Message& m) { return is_accept(m) && m.server == 2; };
  cluster.pass(seconds(1));
  cluster.renew(a);
  cluster.deliver_all([&](const auto& m) { return !repair(m); });
  ASSERT_EQ(std::ranges::count_if(cluster.wire, repair), 1);
  const Ballot ballot = std::get<Accept>(cluster.wire.front().request).ballot;
  ask(2, Accept{ballot, Record{.count = 1, .op = {"twin"}}, {}, false});
  cluster.deliver_all(FakeCluster::any());
  EXPECT_EQ(cluster.count<AlarmRaised>(a), 1U);
  EXPECT_FALSE(cluster.holds(a));
}

// S10: a server that missed the grant is given it, then takes heartbeats.
TEST_F(SessionFaults, AServerThatMissedTheGrantIsBroughtUpToDateByTheNextRenewal) {
  const auto a = holder("a", {}, FakeCluster::to({0, 1}));
  cluster.run_for(seconds(3));
  EXPECT_NE(cluster.server(2).durable.value, std::nullopt);
  EXPECT_EQ(cluster.server(2).soft.beats.size(), 1U);
  cluster.server(0).up = false;
  cluster.run_for(seconds(30));
  EXPECT_TRUE(cluster.holds(a));
}

// A majority of servers is up and none of them refuses the holder for good: it keeps its lock.
class OneServerBehindOneDown : public SessionFaults, public testing::WithParamInterface<bool> {};

TEST_P(OneServerBehindOneDown, AHolderKeepsItsLock) {
  const auto a = holder("a", {}, FakeCluster::to({0, 1}));
  cluster.client(a).renews = false;
  const auto b = cluster.add("b");  // wants it, and gets a promise where the grant is not known
  cluster.acquire(b, Patience::once);
  cluster.run_for(kNow);
  EXPECT_GT(cluster.server(2).durable.promised, cluster.server(0).durable.accepted);
  cluster.server(0).up = false;
  cluster.server(0).refuses = GetParam();
  cluster.client(a).renews = true;
  cluster.run_for(seconds(60));
  EXPECT_TRUE(cluster.holds(a));
  EXPECT_EQ(cluster.count<Lost>(a), 0U);
}

INSTANTIATE_TEST_SUITE_P(Down, OneServerBehindOneDown, testing::Values(true, false),
                         [](const auto& server) { return server.param ? "Refused" : "Silent"; });

TEST_F(SessionFaults, AHolderLiftsAFenceOnOneServerWhileAnotherIsDown) {
  const auto a = holder("a");
  EXPECT_EQ(ask(1, Prepare{.ballot = kAbove, .intent = Intent::force}), Verdict::promise);
  cluster.server(0).up = false;
  cluster.server(0).refuses = true;
  cluster.run_for(seconds(60));
  EXPECT_TRUE(cluster.holds(a));
}

// A release that reached one server only, of a process that was killed in the middle of it.
TEST_F(SessionFaults, AReleaseThatStoppedHalfWayDoesNotBlockTheLockForEver) {
  const auto a = holder("a");
  cluster.release(a);
  cluster.run_for(kNow, FakeCluster::to({0}));
  cluster.kill(a);
  const auto b = cluster.add("b");
  cluster.acquire(b);
  cluster.run_for(seconds(60));
  EXPECT_TRUE(cluster.holds(b));
}

TEST_F(SessionFaults, NorDoesItIfThatServerGoesDownAfterwards) {
  const auto a = holder("a");
  cluster.release(a);
  cluster.run_for(kNow, FakeCluster::to({0}));
  cluster.kill(a);
  const auto b = cluster.add("b");
  cluster.acquire(b);
  cluster.run_for(seconds(1));
  cluster.server(0).up = false;
  cluster.run_for(seconds(60));
  EXPECT_TRUE(cluster.holds(b));
}

TEST_F(SessionFaults, AnEvictionThatReachedOneServerOnlyIsCompletedByItsEvictor) {
  const auto a = holder("a");
  const auto b = waiter("b");
  cluster.kill(a);
  bool lost = false;
  cluster.run_for(seconds(11), [&](const FakeCluster::Message& m) {
    const bool loses = is_accept(m) && !m.reply && m.server != 0;
    lost = lost || loses;
    return !loses;
  });
  ASSERT_TRUE(lost);
  cluster.run_for(seconds(60));
  EXPECT_TRUE(cluster.holds(b));
}

// A server that took a removal which nobody else did, and which a later value overrules, still
// tells about those whom that value lists.
TEST_F(SessionFaults, AnOverruledRemovalDoesNotKeepADeadHolderForEver) {
  const auto a = holder("a", {.mode = Mode::shared});
  const auto b = waiter("b");
  cluster.kill(a);
  cluster.run_for(seconds(11), [&](const FakeCluster::Message& m) {
    return m.reply || !is_accept(m) || m.server == 0;
  });
  ASSERT_FALSE(cluster.holds(b));
  ASSERT_EQ(cluster.server(0).durable.value->find(FencingToken{1}), nullptr);
  cluster.kill(b);
  const auto d = cluster.add("d", seconds(10), {.mode = Mode::shared});
  cluster.acquire(d);
  cluster.run_for(seconds(1), [&](const auto& m) { return m.client != d || m.server != 0; });
  ASSERT_TRUE(cluster.holds(d));
  ASSERT_EQ(cluster.server(1).durable.value->holders.size(), 2U);
  cluster.kill(d);
  cluster.server(2).up = false;
  const auto c = cluster.add("c");
  cluster.acquire(c);
  cluster.run_for(seconds(60));
  EXPECT_TRUE(cluster.holds(c));
}

// Nor if it answers first each time, and each look is another process, which knows no more than
// what the earlier ones saw.
TEST_F(SessionFaults, NorDoesItToProcessesThatHearOfTheOverruledValueFirst) {
  cluster.kill(half_grant("a", {0}));
  const auto d = cluster.add("d");
  grant_without_first_server(d);
  ASSERT_EQ(cluster.session(d).token(), FencingToken{1});
  cluster.kill(d);
  cluster.server(2).up = false;
  std::map<GrantId, Observer> seen;
  bool held = false;
  for (int process = 0; process < 20 && !held; ++process) {
    const auto c = cluster.add("c" + std::to_string(process));
    for (const auto& [victim, observer] : seen) {
      for (std::size_t server = 0; server < 3; ++server) {
        if (const auto& sighting = observer.sightings()[server]) {
          cluster.session(c).recall(victim, server, *sighting);
        }
      }
    }
    cluster.acquire(c, Patience::once);
    cluster.run_for(seconds(1));
    held = cluster.holds(c);
    seen = cluster.session(c).observers();
    cluster.kill(c);
  }
  EXPECT_TRUE(held);
}

TEST_F(SessionFaults, AnAcquisitionThatReachedOneServerOnlyDoesNotBlockOthersForEver) {
  half_grant("a", {0});
  cluster.kill(0);
  const auto b = cluster.add("b");
  cluster.acquire(b);
  cluster.run_for(seconds(30));
  EXPECT_TRUE(cluster.holds(b));
}

// One token number may stand in several values of which at most one is ever chosen. What was seen
// of one of them says nothing about the holder of another.
TEST_F(SessionFaults, AnUnchosenGrantIsNoEvidenceAgainstALaterHolderOfTheSameToken) {
  const auto dead = half_grant("dead", {0});
  cluster.kill(dead);
  const auto b = watcher("b");  // of the dead one, which only server 0 lists
  cluster.run_for(seconds(9));
  const auto c = cluster.add("c");
  grant_without_first_server(c);  // its first renewal is due in two seconds
  run_and_watch(seconds(2), {b, c});
  cluster.client(c).renews = true;
  run_and_watch(seconds(20), {b, c});
  EXPECT_TRUE(cluster.holds(c));
}

// The same, with the eviction already under way when the other one is granted.
TEST_F(SessionFaults, AnEvictionRemovesNobodyButItsVictim) {
  const auto dead = half_grant("dead", {0});
  cluster.kill(dead);
  const auto c = cluster.add("c");
  const auto b = watcher("b");
  cluster.run_for(seconds(9));
  cluster.client(c).renews = false;
  cluster.session(c).start_above(10);
  cluster.acquire(c);
  const auto last_step_of_c = [&](const auto& m) {
    return m.client == c && (m.server == 0 || is_accept(m));
  };
  const auto evicts = [&](const auto& m) { return m.client == b && is_prepare(m); };
  for (int left = 200; left > 0 && std::ranges::none_of(cluster.wire, evicts); --left) {
    cluster.pass(milliseconds(10));
    cluster.wake(b);
    cluster.deliver_all([&](const auto& m) { return !last_step_of_c(m) && !evicts(m); });
  }
  ASSERT_EQ(std::ranges::count_if(cluster.wire, evicts), 3);
  cluster.deliver_all([&](const auto& m) { return m.client == c && m.server != 0; });
  ASSERT_TRUE(cluster.holds(c));
  cluster.deliver_all([&](const auto& m) { return m.server != 0; });
  run_and_watch(seconds(5), {b, c});
}

// A waiter may have proposed long before it gets the lock; its lease begins with the grant it gets.
TEST_F(SessionFaults, AWaiterWhoseFirstProposalWasLostIsGrantedTheLockLater) {
  const auto b = cluster.add("b");
  cluster.acquire(b);
  cluster.deliver_all(is_prepare);
  ASSERT_EQ(cluster.drop(FakeCluster::asking<Accept>()), 3U);
  const auto a = cluster.add("a");
  cluster.acquire(a);
  cluster.run_for(seconds(30));
  ASSERT_TRUE(cluster.holds(a));
  cluster.release(a);
  cluster.run_for(seconds(2));
  EXPECT_TRUE(cluster.holds(b));
  EXPECT_EQ(cluster.count<Lost>(b), 0U);
}

TEST_F(SessionFaults, AWaiterThatEvictedOneOfTwoReadersIsGrantedTheLockLater) {
  const Claim shared{.mode = Mode::shared};
  const auto a = holder("a", shared);
  const auto b = holder("b", shared);
  const auto w = waiter("w");
  cluster.kill(a);
  cluster.run_for(seconds(40));
  ASSERT_TRUE(cluster.holds(b));
  EXPECT_EQ(cluster.server(0).durable.value->holders.size(), 1U) << "the dead one is removed";
  cluster.release(b);
  cluster.run_for(seconds(2));
  EXPECT_TRUE(cluster.holds(w));
  EXPECT_EQ(cluster.count<Lost>(w), 0U);
}

// A loss is told once, whatever still comes in afterwards.
TEST_F(SessionFaults, ALossIsReportedOnce) {
  const auto a = holder("a");
  cluster.client(a).renews = false;
  for (const std::size_t server : {0U, 1U, 2U}) {
    ask(server, Prepare{.ballot = kAbove, .intent = Intent::force});
  }
  cluster.pass(seconds(8));
  cluster.renew(a);
  cluster.deliver_all([](const auto& m) { return !is_prepare(m); });
  ASSERT_FALSE(cluster.wire.empty()) << "it is writing the record anew";
  for (const std::size_t server : {0U, 1U, 2U}) {
    ask(server, Accept{kAbove, Record{.count = 1, .op = {"evicted"}}, {}, false});
  }
  cluster.pass(seconds(3));
  cluster.run_for(seconds(20));
  EXPECT_EQ(cluster.count<Lost>(a), 1U);
}

// Losing the lock leaves nothing under way that forbids to ask for it again.
TEST_F(SessionFaults, CanAskAgainAtOnceAfterALossInTheMiddleOfARepair) {
  const auto a = holder("a");
  cluster.client(a).renews = false;
  for (const std::size_t server : {0U, 1U, 2U}) {
    ask(server, Prepare{.ballot = kAbove, .intent = Intent::force});
  }
  cluster.pass(seconds(8));
  cluster.renew(a);
  cluster.deliver_all([](const auto& m) { return !is_prepare(m); });
  cluster.pass(seconds(3));
  cluster.wake(a);
  ASSERT_EQ(cluster.count<Lost>(a), 1U);
  EXPECT_EXIT(
      {
        cluster.acquire(a);
        cluster.run_for(seconds(5));
        std::exit(cluster.holds(a) ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

// S5: a saved sticky promise carries one value, whoever uses it: the process that saved it, too.
TEST_F(SessionFaults, ACopyOfASavedStickyPromiseProposesWhatTheOriginalProposes) {
  const auto a = holder("a");
  const auto copy = cluster.add("a");
  cluster.kill(copy);
  cluster.client(copy).saved = cluster.client(a).saved;
  cluster.start(copy);
  cluster.client(a).renews = cluster.client(copy).renews = false;
  cluster.release(a);
  cluster.run_for(kNow, FakeCluster::to({0}));
  cluster.release(copy);
  cluster.run_for(kNow);
  EXPECT_EQ(cluster.count<AlarmRaised>(a), 0U);
  EXPECT_EQ(cluster.count<AlarmRaised>(copy), 0U);
}

TEST_F(SessionFaults, TwoCopiesOfASavedStickyPromiseProposeTheSame) {
  const auto a = holder("a");
  const std::string saved = cluster.client(a).saved;
  cluster.kill(a);
  cluster.start(a);
  const auto copy = cluster.add("a");
  cluster.kill(copy);
  cluster.client(copy).saved = saved;
  cluster.start(copy);
  cluster.client(a).renews = cluster.client(copy).renews = false;
  cluster.release(a);
  cluster.run_for(kNow, FakeCluster::to({0}));
  cluster.release(copy);
  cluster.run_for(kNow);
  EXPECT_EQ(cluster.count<AlarmRaised>(copy), 0U);
  EXPECT_EQ(cluster.count<Released>(copy), 1U);
}

// ... and none where that one value would not be the free lock: others share it.
TEST_F(SessionFaults, SavesNoPromiseThatCouldServeTwoValues) {
  const Claim shared{.mode = Mode::shared};
  const auto a = cluster.add("a", seconds(10), shared);
  cluster.acquire(a);
  cluster.run_for(Nanoseconds(0));
  EXPECT_TRUE(cluster.session(a).saved().sticky);
  const auto b = cluster.add("b", seconds(10), shared);
  cluster.acquire(b);
  cluster.run_for(Nanoseconds(0));
  ASSERT_TRUE(cluster.holds(b));
  EXPECT_FALSE(cluster.session(b).saved().sticky) << "its base lists a as well";
}

// T15: a sticky promise that fewer than a majority carried is none: the release prepares.
TEST_F(SessionFaults, AReleaseWithoutAMajoritysPromisePrepares) {
  const auto a = cluster.add("a");
  cluster.client(a).renews = false;
  cluster.acquire(a);
  cluster.deliver_all(is_prepare);
  cluster.deliver_all(FakeCluster::asking<Accept>());
  for (auto& message : cluster.wire) {
    if (message.server != 0) {
      std::get<Answer>(*message.reply).state.promised = kAbove;  // stolen at once
    }
  }
  cluster.deliver_all(FakeCluster::any());
  ASSERT_TRUE(cluster.holds(a));
  cluster.release(a);
  EXPECT_TRUE(std::ranges::all_of(cluster.wire, is_prepare));
}

// T12: a blank store among the servers of a group is never a voter.
TEST(AssemblyFaults, ABlankStoreInPlaceOfAMemberHasNoVote) {
  const Group group{"g", Epoch{1}, {"i1", "i2", "i3"}};
  Assembly assembly({"s1", "s2", "s3"}, "g", [](std::string_view) { return "other"; });
  for (std::size_t server = 0; server < 2; ++server) {
    EXPECT_TRUE(assembly.on_identity(server, {group.members[server], group, "g"}).empty());
  }
  EXPECT_TRUE(assembly.on_identity(2, {"blank", std::nullopt, std::nullopt}).empty());
  EXPECT_EQ(assembly.group(), group);
  EXPECT_TRUE(assembly.votes(0) && assembly.votes(1));
  EXPECT_FALSE(assembly.votes(2));
  ASSERT_EQ(assembly.problems().size(), 1U);
  EXPECT_FALSE(assembly.problems()[0].fatal);
  EXPECT_NE(assembly.problems()[0].text.find("s3"), std::string::npos);
}

// T13, T12: a store that is a copy of another member's has no vote either.
TEST(AssemblyFaults, OneStoreUnderTwoNamesIsRefused) {
  const Group group{"g", Epoch{1}, {"i1", "i2", "i3"}};
  Assembly assembly({"s1", "s2", "s3"}, {}, [](std::string_view) { return "g"; });
  static_cast<void>(assembly.on_identity(0, {"i1", group, "g"}));
  static_cast<void>(assembly.on_identity(1, {"i1", group, "g"}));
  EXPECT_NE(assembly.fatal_problem(), nullptr);
}

// They are in nobody's way but for the room that they take.
TEST_F(SessionFaults, DeadHoldersMakeRoomForThoseWhoWouldShareWithThem) {
  const auto add = [&](const std::string& name) {
    const std::size_t client = cluster.add(name, seconds(10), {.mode = Mode::shared});
    cluster.client(client).setup.holders_max = 2;
    cluster.start(client);
    cluster.acquire(client);
    cluster.run_for(Nanoseconds(0));
    return client;
  };
  const auto a = add("a");
  const auto b = add("b");
  cluster.client(a).renews = true;
  cluster.kill(b);
  const auto c = add("c");
  EXPECT_EQ(cluster.count<Closed>(c), 1U);
  EXPECT_FALSE(cluster.holds(c));
  cluster.run_for(seconds(20));
  EXPECT_TRUE(cluster.holds(c));
  EXPECT_TRUE(cluster.holds(a));
}

}  // namespace
}  // namespace dexlock
