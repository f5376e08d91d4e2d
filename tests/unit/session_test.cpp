// One session with servers that answer: what it sends, what it believes, what it saves.
#include "session/session.hpp"

#include <gtest/gtest.h>

#include "cluster.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanoseconds kLease = seconds(10);  // of FakeCluster::add()

struct SessionTest : testing::Test {
  FakeCluster cluster{3};

  std::size_t holder(const std::string& name, const Claim& claim = {}) {
    const std::size_t client = cluster.add(name, seconds(10), claim);
    cluster.acquire(client);
    cluster.run_for(Nanoseconds(0));
    EXPECT_TRUE(cluster.holds(client)) << name;
    return client;
  }
  std::size_t waiter(const std::string& name, const Claim& claim = {}) {
    const std::size_t client = cluster.add(name, seconds(10), claim);
    cluster.acquire(client);
    cluster.run_for(Nanoseconds(0));
    EXPECT_FALSE(cluster.holds(client)) << name;
    return client;
  }
  template <class R>
  std::size_t asked() {
    const auto filter = FakeCluster::asking<R>();
    return static_cast<std::size_t>(std::ranges::count_if(cluster.wire, filter));
  }
};

TEST_F(SessionTest, IsGrantedAFreeLockInTwoRoundTrips) {
  const auto a = cluster.add("a");
  cluster.acquire(a);
  EXPECT_EQ(asked<Prepare>(), 3U);
  cluster.deliver_all(FakeCluster::asking<Prepare>());
  for (int i = 0; i < 3; ++i) {
    cluster.deliver(0);
  }
  EXPECT_EQ(asked<Accept>(), 3U);
  EXPECT_FALSE(cluster.holds(a));
  cluster.deliver_all(FakeCluster::any());
  EXPECT_TRUE(cluster.holds(a));
  EXPECT_EQ(cluster.session(a).token(), FencingToken{1});
  EXPECT_EQ(cluster.count<Granted>(a), 1U);
}

TEST_F(SessionTest, IsGrantedGreaterTokensFromGrantToGrant) {
  std::uint64_t last = 0;
  const auto a = cluster.add("a");
  const auto b = cluster.add("b");
  for (int i = 0; i < 6; ++i) {
    const auto client = i % 3 == 0 ? a : b;
    cluster.acquire(client);
    cluster.run_for(Nanoseconds(0));
    ASSERT_TRUE(cluster.holds(client));
    EXPECT_GT(cluster.session(client).token().value, last);
    last = cluster.session(client).token().value;
    cluster.release(client);
    cluster.run_for(Nanoseconds(0));
  }
}

TEST_F(SessionTest, EndsATryAtALockHeldByALiveHolder) {
  holder("a");
  const auto b = cluster.add("b");
  cluster.acquire(b, Patience::once);
  cluster.run_for(seconds(3));
  EXPECT_EQ(cluster.count<Busy>(b), 1U);
  EXPECT_FALSE(cluster.holds(b));
  EXPECT_EQ(cluster.session(b).wake_at(), std::nullopt) << "nothing left to do";
}

TEST_F(SessionTest, WaitsUntilTheHolderReleases) {
  const auto a = holder("a");
  const auto b = waiter("b");
  cluster.run_for(seconds(60));
  EXPECT_FALSE(cluster.holds(b)) << "a renews";
  EXPECT_TRUE(cluster.holds(a));
  cluster.release(a);
  cluster.run_for(seconds(1));
  EXPECT_TRUE(cluster.holds(b));
}

// T18: waiting must not cost the holder its sticky promise.
TEST_F(SessionTest, OnlyReadsWhileItWaits) {
  const auto a = holder("a");
  waiter("b");
  cluster.run_for(seconds(7), [](const FakeCluster::Message& m) {
    EXPECT_TRUE(m.client == 0 || m.reply || std::holds_alternative<Read>(m.request));
    return true;
  });
  cluster.release(a);
  EXPECT_EQ(asked<Prepare>(), 0U);
  EXPECT_EQ(asked<Accept>(), 3U);
}

TEST_F(SessionTest, ReleasesInOneRoundTrip) {
  const auto a = holder("a");
  cluster.release(a);
  EXPECT_EQ(asked<Accept>(), 3U);
  cluster.deliver_all(FakeCluster::any());
  EXPECT_EQ(cluster.count<Released>(a), 1U);
  EXPECT_TRUE(cluster.server(0).durable.value->is_free());
}

TEST_F(SessionTest, TakesALockItReleasedLastInOneRoundTrip) {
  const auto a = holder("a");
  for (int i = 0; i < 2; ++i) {
    cluster.release(a);
    cluster.run_for(Nanoseconds(0));
    cluster.acquire(a);
    if (i == 1) {
      EXPECT_EQ(asked<Prepare>(), 0U);
      EXPECT_EQ(asked<Accept>(), 3U);
    }
    cluster.run_for(Nanoseconds(0));
    EXPECT_TRUE(cluster.holds(a));
  }
  EXPECT_EQ(cluster.session(a).token(), FencingToken{3});
}

TEST_F(SessionTest, ReleasingNothingNeedsNobody) {
  const auto a = cluster.add("a");
  cluster.release(a);
  EXPECT_TRUE(cluster.wire.empty());
  EXPECT_EQ(cluster.count<Released>(a), 1U);
}

// T3: first the belief ends, then the release leaves.
TEST_F(SessionTest, BelievesNothingFromTheMomentItReleases) {
  const auto a = holder("a");
  cluster.release(a);
  EXPECT_FALSE(cluster.wire.empty());
  EXPECT_FALSE(cluster.holds(a));
  const auto saved = parse_saved(cluster.client(a).saved);
  ASSERT_TRUE(saved);
  EXPECT_EQ(saved->token, FencingToken{}) << "saved before anything was sent";
  EXPECT_TRUE(saved->maybe_listed);
}

// T3: an ambiguous release is never taken back.
TEST_F(SessionTest, NeverBelievesAgainAfterAReleaseWithoutAnswer) {
  const auto a = holder("a");
  cluster.renew(a);
  cluster.release(a);
  cluster.run_for(seconds(30), [](const FakeCluster::Message& m) {
    return std::holds_alternative<Heartbeat>(m.request);
  });
  EXPECT_FALSE(cluster.holds(a));
  EXPECT_EQ(cluster.count<Released>(a), 0U);
  cluster.run_for(seconds(10));
  EXPECT_EQ(cluster.count<Released>(a), 1U) << "it goes on until it is known";
}

TEST_F(SessionTest, RenewsInOneRoundTripWithoutADurableWrite) {
  const auto a = holder("a");
  const Durable before = cluster.server(1).durable;
  cluster.pass(seconds(9));
  cluster.renew(a);
  EXPECT_EQ(asked<Heartbeat>(), 3U);
  EXPECT_EQ(cluster.wire.size(), 3U);
  cluster.deliver_all(FakeCluster::to({0, 1}));
  EXPECT_EQ(cluster.count<Renewed>(a), 2U) << "a majority is enough";
  EXPECT_EQ(cluster.server(1).durable, before);
  cluster.pass(seconds(9));
  EXPECT_TRUE(cluster.holds(a));
}

// T2: from before the sending, however late the acknowledgements are.
TEST_F(SessionTest, CountsItsLeaseFromTheSendingOfTheGrant) {
  const auto a = cluster.add("a");
  cluster.client(a).renews = false;
  cluster.acquire(a);
  cluster.deliver_all([](const auto& m) { return std::holds_alternative<Prepare>(m.request); });
  const Instant sent = cluster.clock(a);
  cluster.pass(seconds(4));
  cluster.run_for(Nanoseconds(0));
  ASSERT_TRUE(cluster.holds(a));
  EXPECT_EQ(cluster.session(a).belief()->start(), sent);
  cluster.pass(seconds(6));
  EXPECT_FALSE(cluster.holds(a));
}

TEST_F(SessionTest, CountsItsLeaseFromTheSendingOfTheRenewal) {
  const auto a = holder("a");
  cluster.pass(seconds(5));
  cluster.renew(a);
  const Instant sent = cluster.clock(a);
  cluster.pass(seconds(3));
  cluster.deliver_all(FakeCluster::any());
  EXPECT_EQ(cluster.session(a).belief()->start(), sent);
}

TEST_F(SessionTest, LosesTheLockWhenNoMajorityConfirmsItInTime) {
  const auto a = holder("a");
  const Nanoseconds granted = cluster.now();
  cluster.run_for(kLease - seconds(1), FakeCluster::to({0}));
  EXPECT_TRUE(cluster.holds(a));
  EXPECT_EQ(cluster.count<Lost>(a), 0U);
  cluster.run_for(seconds(2), FakeCluster::to({0}));
  EXPECT_FALSE(cluster.holds(a));
  EXPECT_EQ(cluster.count<Lost>(a), 1U);
  EXPECT_LE(cluster.now() - granted, kLease + seconds(1));
}

// An acknowledgement that comes after the end cannot bring the belief back.
TEST_F(SessionTest, NeverComesBackAfterItsLeaseHasRunOut) {
  const auto a = holder("a");
  cluster.pass(seconds(5));
  cluster.renew(a);
  cluster.pass(seconds(6));
  cluster.deliver_all(FakeCluster::any());
  EXPECT_FALSE(cluster.holds(a));
  EXPECT_EQ(cluster.count<Lost>(a), 1U);
}

TEST_F(SessionTest, StopsAtOnceWhenTheLockWasTakenAway) {
  const auto a = holder("a");
  const Ballot above{.round = 50, .proposer = {9, 9}};
  for (std::size_t server = 0; server < 3; ++server) {
    auto& s = cluster.server(server);
    static_cast<void>(apply(s.durable, s.soft, s.boot,
                            Accept{above, Record{.count = 1, .op = {"break"}}, {}, false}));
  }
  cluster.renew(a);
  cluster.run_for(Nanoseconds(0));
  EXPECT_FALSE(cluster.holds(a));
  EXPECT_EQ(cluster.count<Lost>(a), 1U);
}

Record granted_again(FencingToken token) {
  Record record{.count = token.value, .op = {"again"}};
  record.holders.push_back({.token = token,
                            .client = {"other"},
                            .op = {"again"},
                            .terms = FakeCluster::terms(seconds(10)),
                            .who = "other"});
  return record;
}

// Servers that were set back to an earlier state have granted its token once more.
TEST_F(SessionTest, StopsAtOnceWhenItsTokenIsOfAnother) {
  const auto a = holder("a");
  const Ballot above{.round = 50, .proposer = {9, 9}};
  for (std::size_t server = 0; server < 3; ++server) {
    auto& s = cluster.server(server);
    static_cast<void>(apply(s.durable, s.soft, s.boot,
                            Accept{above, granted_again(cluster.session(a).token()), {}, false}));
  }
  cluster.renew(a);
  cluster.run_for(Nanoseconds(0));
  EXPECT_FALSE(cluster.holds(a));
  EXPECT_EQ(cluster.count<Lost>(a), 1U);
}

// Of one server among several that says nothing: it may have accepted what was never chosen.
TEST_F(SessionTest, BelievesAnOnlyServerWhateverTheBallotThatItsTokenIsOfAnother) {
  const Ballot below{.round = 0, .proposer = {9, 9}};
  for (const std::size_t servers : {1U, 3U}) {
    FakeCluster some(servers);
    const auto a = some.add("a");
    some.acquire(a);
    some.run_for(Nanoseconds(0));
    ASSERT_TRUE(some.holds(a));
    auto& s = some.server(0);
    s.durable = absent_record(Epoch{1});
    ASSERT_EQ(apply(s.durable, s.soft, s.boot,
                    Accept{below, granted_again(some.session(a).token()), {}, false})
                  .verdict,
              Verdict::accepted);
    some.renew(a);
    some.run_for(Nanoseconds(0));
    EXPECT_EQ(some.holds(a), servers > 1) << servers;
  }
}

// What an only server had may be gone. Who has seen it held need not wait for a holder that is not
// there.
TEST_F(SessionTest, TakesAtOnceWhatAnOnlyServerHasNoRecordOfAnyMore) {
  FakeCluster one(1);
  const auto a = one.add("a");
  const auto b = one.add("b");
  one.acquire(a);
  one.run_for(Nanoseconds(0));
  one.acquire(b);
  one.run_for(Nanoseconds(0));
  ASSERT_TRUE(one.holds(a) && !one.holds(b));
  one.release(a);
  one.run_for(Nanoseconds(0), [](const auto&) { return false; });  // it is lost
  one.kill(a);
  one.wire.clear();
  one.server(0).durable = absent_record(Epoch{1});
  one.run_for(kLease / 2);
  EXPECT_TRUE(one.holds(b));
}

TEST_F(SessionTest, HasNothingMoreToDoAfterItGaveUpWaiting) {
  holder("a");
  const auto b = waiter("b");
  cluster.pass(seconds(1));
  cluster.wake(b);
  EXPECT_EQ(asked<Read>(), 3U) << "it is just looking again";
  cluster.release(b);
  EXPECT_EQ(cluster.count<Released>(b), 1U);
  EXPECT_EQ(cluster.session(b).wake_at(), std::nullopt);
  cluster.run_for(seconds(10));
  EXPECT_EQ(cluster.session(b).wake_at(), std::nullopt);
}

TEST_F(SessionTest, TakesOverFromADeadHolderNeitherEarlyNorMuchLater) {
  const auto a = holder("a");
  const auto b = waiter("b");
  cluster.run_for(seconds(20));
  const Nanoseconds last_start = cluster.session(a).belief()->start().boot - seconds(3600);
  cluster.kill(a);
  cluster.run_for(last_start + kLease - cluster.now());
  EXPECT_FALSE(cluster.holds(b)) << "a may still believe";
  cluster.run_for(seconds(3));
  EXPECT_TRUE(cluster.holds(b));
  EXPECT_EQ(cluster.server(0).durable.value->last->how, EndKind::expired);
}

TEST_F(SessionTest, TellsWhenTheEarliestTakeoverIs) {
  const auto a = holder("a");
  cluster.kill(a);
  const auto b = waiter("b");
  cluster.run_for(seconds(4));
  const auto& events = cluster.client(b).events;
  const auto* busy = std::get_if<Busy>(&events.back());
  ASSERT_NE(busy, nullptr);
  ASSERT_TRUE(busy->takeover);
  EXPECT_LT(*busy->takeover, seconds(7));
  EXPECT_GT(*busy->takeover, seconds(5));
}

// S3: the terms of the holder count, from the record, not the waiter's.
TEST_F(SessionTest, TellsFromALookWhetherTheLockCanBeHad) {
  const auto looker = cluster.add("looker");
  const auto may_be_had = [&] {
    cluster.view(looker);
    cluster.run_for(Nanoseconds(0));
    return cluster.session(looker).may_be_had(cluster.clock(looker));
  };
  EXPECT_FALSE(cluster.session(looker).may_be_had(cluster.clock(looker)));  // nobody was asked yet
  EXPECT_TRUE(may_be_had());
  const auto a = holder("a");
  EXPECT_FALSE(may_be_had());
  cluster.run_for(2 * kLease);
  EXPECT_FALSE(may_be_had());
  cluster.kill(a);
  cluster.run_for(kLease / 2);
  EXPECT_FALSE(may_be_had());
  cluster.run_for(kLease);
  EXPECT_TRUE(may_be_had());
}

TEST_F(SessionTest, WaitsOutTheTermsOfTheHolderNotItsOwn) {
  const auto a = cluster.add("a", seconds(10));
  cluster.client(a).setup.terms.stop = seconds(30);
  cluster.client(a).setup.terms.drift_ppm = 100'000;
  cluster.start(a);
  cluster.acquire(a);
  cluster.run_for(Nanoseconds(0));
  cluster.kill(a);
  const auto b = cluster.add("b", seconds(1));
  cluster.acquire(b);
  cluster.run_for(milliseconds(44'400));
  EXPECT_FALSE(cluster.holds(b)) << "(10 + 30) / 0.9";
  cluster.run_for(seconds(2));
  EXPECT_TRUE(cluster.holds(b));
}

// S3: a later call with a longer lease does not prolong what peers were promised.
TEST_F(SessionTest, BelievesForTheLeaseInTheRecordNotOfThePresentCall) {
  const auto a = holder("a");
  cluster.kill(a);
  cluster.client(a).setup.terms.lease = seconds(1000);
  cluster.client(a).renews = false;
  cluster.start(a);
  cluster.renew(a);
  cluster.deliver_all(FakeCluster::any());
  EXPECT_TRUE(cluster.holds(a));
  cluster.pass(seconds(10));
  EXPECT_FALSE(cluster.holds(a));
}

TEST_F(SessionTest, SharesWithReadersAndWaitsForAllOfThemToWrite) {
  const Claim shared{.mode = Mode::shared};
  const auto a = holder("a", shared);
  const auto b = holder("b", shared);
  EXPECT_TRUE(cluster.holds(a));
  const auto w = waiter("w");
  cluster.release(a);
  cluster.run_for(seconds(15));
  EXPECT_FALSE(cluster.holds(w));
  EXPECT_TRUE(cluster.holds(b));
  cluster.release(b);
  cluster.run_for(seconds(1));
  EXPECT_TRUE(cluster.holds(w));
}

TEST_F(SessionTest, TakesOverFromSeveralDeadReaders) {
  const Claim shared{.mode = Mode::shared};
  const auto a = holder("a", shared);
  const auto b = holder("b", shared);
  const auto c = holder("c", shared);
  const auto w = waiter("w");
  for (const auto dead : {a, b, c}) {
    cluster.kill(dead);
  }
  cluster.run_for(seconds(13));
  EXPECT_TRUE(cluster.holds(w));
}

TEST_F(SessionTest, LeavesOtherReadersInOneRoundTrip) {
  const Claim shared{.mode = Mode::shared};
  const auto a = holder("a", shared);
  const auto b = holder("b", shared);
  cluster.release(b);
  EXPECT_EQ(asked<Accept>(), 3U);
  cluster.deliver_all(FakeCluster::any());
  EXPECT_EQ(cluster.count<Released>(b), 1U);
  EXPECT_EQ(cluster.server(0).durable.value->holders.size(), 1U);
  EXPECT_TRUE(cluster.holds(a));
}

TEST_F(SessionTest, GivesOutThePermitsOfASemaphore) {
  const Claim one{.mode = Mode::semaphore, .weight = 1, .capacity = 2};
  const auto a = holder("a", one);
  const auto b = holder("b", one);
  const auto c = waiter("c", one);
  cluster.release(a);
  cluster.run_for(seconds(1));
  EXPECT_TRUE(cluster.holds(b));
  EXPECT_TRUE(cluster.holds(c));
}

TEST_F(SessionTest, WaitsAtAGateThatIsHeldAndGoesOnWhenItOpens) {
  const auto set_gate = [&](std::uint32_t round, const Gate& gate) {
    for (std::size_t server = 0; server < 3; ++server) {
      auto& s = cluster.server(server);
      const Record record{.op = {"operator"}, .gate = gate};
      static_cast<void>(apply(s.durable, s.soft, s.boot,
                              Accept{{.round = round, .proposer = {9, 9}}, record, {}, false}));
    }
  };
  set_gate(50, {GateState::hold, "disk swap"});
  const auto a = waiter("a");
  EXPECT_EQ(cluster.count<Closed>(a), 1U);
  cluster.run_for(seconds(20));
  set_gate(60, {});
  cluster.run_for(seconds(2));
  EXPECT_TRUE(cluster.holds(a));
}

TEST_F(SessionTest, EndsATryThatNobodyLetsWrite) {
  const auto a = cluster.add("a");
  cluster.acquire(a, Patience::once);
  const auto full = [](const FakeCluster::Message& m) {
    return !m.reply && std::holds_alternative<Accept>(m.request);
  };
  for (int left = 10'000; cluster.count<NoQuorum>(a) == 0; --left) {
    ASSERT_GT(left, 0) << "it tries for ever";
    if (!cluster.wire.empty() && full(cluster.wire.front())) {
      cluster.wire.front().reply = Fault{FaultKind::full, "disk full"};
    }
    if (!cluster.wire.empty()) {
      cluster.deliver(0);
    } else if (const auto [at, client] = cluster.next_timer(); at < std::chrono::hours(1)) {
      cluster.pass(at - cluster.now());
      cluster.wake(client);
    }
  }
  EXPECT_LT(cluster.now(), seconds(30));
}

TEST_F(SessionTest, EndsAtALockThatHasMoved) {
  for (std::size_t server = 0; server < 3; ++server) {
    auto& s = cluster.server(server);
    s.durable.accepted = s.durable.promised = {.round = 5, .proposer = {9, 9}};
    s.durable.value = Record{.op = {"x"}, .gate = {GateState::moved, "there"}};
  }
  const auto a = waiter("a");
  EXPECT_EQ(cluster.count<Closed>(a), 1U);
  EXPECT_EQ(cluster.session(a).wake_at(), std::nullopt);
}

// S11: who waits while the lock moves gets the pointer, too.
TEST_F(SessionTest, EndsItsWaitWhenTheLockMoves) {
  const auto a = holder("a");
  const auto b = waiter("b");
  cluster.kill(a);
  for (std::size_t server = 0; server < 3; ++server) {
    auto& s = cluster.server(server);
    const Record moved{.count = 1, .op = {"x"}, .gate = {GateState::moved, "there"}};
    static_cast<void>(apply(s.durable, s.soft, s.boot,
                            Accept{{.round = 50, .proposer = {9, 9}}, moved, {}, false}));
  }
  cluster.run_for(seconds(30));
  EXPECT_EQ(cluster.count<Closed>(b), 1U);
}

// T35.
TEST_F(SessionTest, LeavesARecordOfANewerVersionAlone) {
  const auto newer = parse_record("2;n=1;o=z;h=1:b:op1:x:1:5:0:0:0:own:w:new;later=field");
  ASSERT_TRUE(newer);
  for (std::size_t server = 0; server < 3; ++server) {
    auto& s = cluster.server(server);
    s.durable.accepted = s.durable.promised = {.round = 5, .proposer = {9, 9}};
    s.durable.value = newer;
  }
  const auto a = cluster.add("a");
  cluster.acquire(a);
  cluster.run_for(seconds(60));
  EXPECT_FALSE(cluster.holds(a));
  EXPECT_GE(cluster.count<Closed>(a), 1U);
  EXPECT_EQ(cluster.server(0).durable.value, newer);
}

TEST_F(SessionTest, ContinuesInAnotherProcessFromWhatItSaved) {
  const auto a = holder("a");
  const auto token = cluster.session(a).token();
  cluster.kill(a);
  cluster.pass(seconds(8));
  cluster.start(a);
  EXPECT_TRUE(cluster.holds(a));
  EXPECT_EQ(cluster.session(a).token(), token);
  cluster.run_for(seconds(30));
  EXPECT_TRUE(cluster.holds(a));
  cluster.kill(a);
  cluster.start(a);
  cluster.release(a);
  EXPECT_EQ(asked<Prepare>(), 0U) << "the saved sticky promise is good for the plain release";
  cluster.run_for(Nanoseconds(0));
  EXPECT_EQ(cluster.count<Released>(a), 1U);
}

TEST_F(SessionTest, HoldsNothingInAProcessThatComesTooLate) {
  const auto a = holder("a");
  cluster.kill(a);
  cluster.pass(kLease);
  cluster.start(a);
  EXPECT_FALSE(cluster.holds(a));
  cluster.renew(a);
  EXPECT_EQ(asked<Heartbeat>(), 0U);
  EXPECT_EQ(cluster.count<Lost>(a), 1U);
}

// S4: the number is saved before it is sent, and a restored copy of the file repeats none.
TEST_F(SessionTest, SendsEveryHeartbeatNumberForOneStartOnly) {
  const auto a = holder("a");
  const std::string copy = cluster.client(a).saved;
  std::set<std::uint32_t> numbers;
  for (int i = 0; i < 12; ++i) {
    cluster.pass(milliseconds(100));
    if (i % 4 == 3) {
      cluster.client(a).saved = copy;
      cluster.start(a);
    }
    cluster.renew(a);
    const auto number = std::get<Heartbeat>(cluster.wire.back().request).beat;
    const auto saved = parse_saved(cluster.client(a).saved);
    ASSERT_TRUE(saved);
    EXPECT_EQ(saved->beat, number) << "kept before it was sent";
    EXPECT_TRUE(numbers.insert(number).second) << number << " was sent before";
    cluster.deliver_all(FakeCluster::any());
  }
}

// S4: before a value that may grant the lock leaves, it is on record that it may.
TEST_F(SessionTest, SavesThatItMayBeListedBeforeItProposes) {
  const auto a = cluster.add("a");
  cluster.acquire(a);
  EXPECT_TRUE(cluster.client(a).saved.empty());
  while (asked<Accept>() == 0) {
    cluster.deliver(0);
  }
  ASSERT_FALSE(cluster.client(a).saved.empty());
  EXPECT_TRUE(parse_saved(cluster.client(a).saved)->maybe_listed);
  cluster.deliver_all(FakeCluster::asking<Accept>());
  cluster.kill(a);  // before it learned of its grant
  cluster.start(a);
  EXPECT_FALSE(cluster.holds(a)) << "never a guess";
  cluster.release(a);
  cluster.run_for(Nanoseconds(0));
  EXPECT_TRUE(cluster.server(0).durable.value->is_free()) << "but it can be given up";
}

// L1: what an earlier process of this host saw is not seen for nothing.
TEST_F(SessionTest, EvictsOnWhatEarlierProcessesOfItsHostSaw) {
  const auto a = holder("a");
  cluster.kill(a);
  const auto b = cluster.add("b");
  cluster.acquire(b, Patience::once);
  cluster.run_for(Nanoseconds(0));
  EXPECT_EQ(cluster.count<Busy>(b), 1U);
  const auto seen = cluster.session(b).observers();
  ASSERT_EQ(seen.size(), 1U);
  cluster.pass(seconds(11));
  const auto c = cluster.add("c");
  for (const auto& [victim, observer] : seen) {
    for (std::size_t server = 0; server < 3; ++server) {
      ASSERT_TRUE(observer.sightings()[server]);
      cluster.session(c).recall(victim, server, *observer.sightings()[server]);
    }
  }
  cluster.acquire(c, Patience::once);
  cluster.run_for(Nanoseconds(0));
  EXPECT_TRUE(cluster.holds(c));
}

TEST_F(SessionTest, IsSilentAboutRepliesItDidNotAskFor) {
  const auto a = holder("a");
  const Reply reply = Answer{Verdict::accepted, State{}};
  for (const AttemptId attempt : {0U, 1U, 2U, 77U, 0x50000000U, 0xFFFFFFFFU}) {
    for (std::size_t server = 0; server < 3; ++server) {
      EXPECT_TRUE(
          cluster.session(a).on_reply(server, attempt, reply, cluster.clock(a)).sends.empty());
    }
  }
  EXPECT_TRUE(cluster.holds(a));
}

}  // namespace
}  // namespace dexlock
