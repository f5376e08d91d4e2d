// Sessions that wait in line: who is next, from when an inherited lease counts, and what a dead or
// forgetful heir costs the others.
#include <gtest/gtest.h>

#include "cluster.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanoseconds kLease = seconds(10);
constexpr Nanoseconds kClaim = seconds(5);  // of FakeCluster::terms()

struct SessionQueueTest : testing::Test {
  FakeCluster cluster{3};
  bool strict = false;  // those added from now on

  std::size_t add(const std::string& name) {
    const std::size_t client = cluster.add(name);
    cluster.client(client).setup.queues = true;
    cluster.client(client).setup.sticky_promises = !strict;
    cluster.start(client);
    return client;
  }
  std::size_t holder(const std::string& name) {
    const std::size_t client = add(name);
    cluster.acquire(client);
    cluster.run_for(Nanoseconds(0));
    EXPECT_TRUE(cluster.holds(client)) << name;
    return client;
  }
  std::size_t waiter(const std::string& name) {
    const std::size_t client = add(name);
    cluster.acquire(client);
    cluster.run_for(Nanoseconds(0));
    EXPECT_FALSE(cluster.holds(client)) << name;
    return client;
  }
  template <class R>
  std::size_t asked() {
    return static_cast<std::size_t>(std::ranges::count_if(cluster.wire, FakeCluster::asking<R>()));
  }
  // One answer and then one more for each message now on its way: a round trip.
  void round_trip() {
    for (int way = 0; way < 2; ++way) {
      for (std::size_t left = cluster.wire.size(); left > 0; --left) {
        cluster.deliver(0);
      }
    }
  }
  std::vector<Ticket> tickets(std::size_t server) { return cluster.server(server).soft.tickets; }
};

TEST_F(SessionQueueTest, WaitersGetGrowingNumbers) {
  holder("a");
  waiter("b");
  waiter("c");
  ASSERT_EQ(tickets(0).size(), 2U);
  EXPECT_TRUE(senior(tickets(0)[0], tickets(0)[1]));
  EXPECT_EQ(tickets(0)[0].claim.client.text, "b");
}

TEST_F(SessionQueueTest, HandsOverToTheSeniorWaiterInOneRoundTrip) {
  const auto a = holder("a");
  const auto b = waiter("b");
  const auto c = waiter("c");
  cluster.renew(a);
  cluster.deliver_all(FakeCluster::any());
  cluster.release(a);
  EXPECT_EQ(asked<Prepare>(), 0U);
  cluster.deliver_all(FakeCluster::of(a));
  cluster.run_for(milliseconds(700));  // its next look
  EXPECT_TRUE(cluster.holds(b));
  EXPECT_EQ(cluster.session(b).token(), FencingToken{2});
  EXPECT_FALSE(cluster.holds(c));
}

// The one who hands over leaves its next ballot to the heir, so that chains of waiters cost one
// round trip a link.
TEST_F(SessionQueueTest, AnHeirReleasesInOneRoundTripToo) {
  const auto a = holder("a");
  const auto b = waiter("b");
  const auto c = waiter("c");
  cluster.renew(a);
  cluster.deliver_all(FakeCluster::any());
  cluster.release(a);
  cluster.run_for(milliseconds(700));
  ASSERT_TRUE(cluster.holds(b));
  cluster.renew(b);
  cluster.deliver_all(FakeCluster::any());
  cluster.release(b);
  EXPECT_EQ(asked<Prepare>(), 0U);
  EXPECT_EQ(asked<Accept>(), 3U);
  round_trip();
  EXPECT_EQ(cluster.count<Released>(b), 1U);
  cluster.run_for(milliseconds(700));
  EXPECT_TRUE(cluster.holds(c));
}

TEST_F(SessionQueueTest, AStrictReleaseAsksWhoWaits) {
  strict = true;
  const auto a = holder("a");
  const auto b = waiter("b");
  cluster.release(a);  // has heard of nobody
  EXPECT_EQ(asked<Prepare>(), 3U);
  cluster.deliver_all(FakeCluster::of(a));
  cluster.run_for(milliseconds(700));
  EXPECT_TRUE(cluster.holds(b));
  EXPECT_TRUE(cluster.session(b).token() == FencingToken{2});
}

// Two that came at one moment have the same number, and the ticket of the junior arrived first: the
// holder has heard of no other when it releases.
struct TwoWithOneNumber : SessionQueueTest {
  std::size_t b = 0;
  std::size_t c = 0;

  void release_before_them() {
    const auto a = holder("a");
    b = add("b");
    cluster.acquire(b);
    while (asked<Post>() == 0) {
      ASSERT_TRUE(cluster.deliver_one(FakeCluster::of(b)));
    }
    const auto all_but_the_ticket = [this](const FakeCluster::Message& m) {
      return m.client != b || !std::holds_alternative<Post>(m.request);
    };
    c = add("c");
    cluster.acquire(c);
    cluster.deliver_all(all_but_the_ticket);
    cluster.renew(a);
    cluster.deliver_all(all_but_the_ticket);
    cluster.deliver_all(FakeCluster::any());
    ASSERT_EQ(tickets(0).size(), 2U);
    ASSERT_EQ(tickets(0)[0].number, tickets(0)[1].number);
    cluster.release(a);
    cluster.run_for(milliseconds(700));
  }
};

TEST_F(TwoWithOneNumber, TheJuniorMayOvertakeByAKeptPromise) {
  release_before_them();
  EXPECT_TRUE(cluster.holds(c));
}

TEST_F(TwoWithOneNumber, NobodyOvertakesAtAStrictRelease) {
  strict = true;
  release_before_them();
  EXPECT_TRUE(cluster.holds(b));
}

TEST_F(SessionQueueTest, AStrictHeirUsesNoPromiseThatWasLeftToIt) {
  const auto a = holder("a");
  strict = true;
  const auto b = waiter("b");
  cluster.renew(a);
  cluster.deliver_all(FakeCluster::any());
  cluster.release(a);
  cluster.run_for(milliseconds(700));
  ASSERT_TRUE(cluster.holds(b));
  cluster.release(b);
  EXPECT_EQ(asked<Accept>(), 0U);
  EXPECT_EQ(asked<Prepare>(), 3U);
}

TEST_F(SessionQueueTest, WhoHandedOverKeepsNoPromise) {
  const auto a = holder("a");
  waiter("b");
  cluster.renew(a);
  cluster.deliver_all(FakeCluster::any());
  cluster.release(a);
  cluster.deliver_all(FakeCluster::of(a));
  EXPECT_EQ(cluster.count<Released>(a), 1U);
  cluster.acquire(a);
  EXPECT_EQ(asked<Prepare>(), 3U);
}

TEST_F(SessionQueueTest, AnInheritedLeaseCountsFromTheRefreshItNames) {
  const auto a = holder("a");
  const auto b = waiter("b");
  const Nanoseconds posted = cluster.now();
  cluster.renew(a);
  cluster.deliver_all(FakeCluster::any());
  cluster.drop(FakeCluster::any());
  cluster.pass(seconds(1));  // b renews nothing meanwhile
  cluster.release(a);
  cluster.deliver_all(FakeCluster::of(a));
  cluster.wake(b);
  cluster.deliver_all([&](const FakeCluster::Message& m) {
    return m.client == b && !std::holds_alternative<Heartbeat>(m.request) &&
           !std::holds_alternative<Post>(m.request);
  });
  ASSERT_TRUE(cluster.holds(b));
  EXPECT_EQ(cluster.session(b).belief()->lease(), kClaim);
  cluster.drop(FakeCluster::any());
  cluster.client(b).renews = false;
  cluster.run_for(posted + kClaim - cluster.now() - milliseconds(1), FakeCluster::of(a));
  EXPECT_TRUE(cluster.holds(b));
  cluster.run_for(milliseconds(2), FakeCluster::of(a));
  EXPECT_FALSE(cluster.holds(b));
}

TEST_F(SessionQueueTest, ItsFirstHeartbeatMakesAnInheritedLeaseAWholeOne) {
  const auto a = holder("a");
  const auto b = waiter("b");
  cluster.renew(a);
  cluster.deliver_all(FakeCluster::any());
  cluster.release(a);
  cluster.run_for(milliseconds(700));
  ASSERT_TRUE(cluster.holds(b));
  EXPECT_EQ(cluster.session(b).belief()->lease(), kLease);
}

TEST_F(SessionQueueTest, ADeadHeirCostsItsClaimOnly) {
  const auto a = holder("a");
  const auto b = waiter("b");
  const auto c = waiter("c");
  cluster.renew(a);
  cluster.deliver_all(FakeCluster::any());
  cluster.kill(b);
  cluster.release(a);
  cluster.run_for(kClaim - milliseconds(100));
  EXPECT_FALSE(cluster.holds(c));
  cluster.run_for(seconds(2));
  EXPECT_TRUE(cluster.holds(c));
}

// Restarted servers show no heartbeat of an heir that has claimed its lock long since.
TEST_F(SessionQueueTest, AClaimThatAllServersForgotIsWaitedOutInFull) {
  const auto a = holder("a");
  const auto b = waiter("b");
  cluster.renew(a);
  cluster.deliver_all(FakeCluster::any());
  cluster.release(a);
  cluster.run_for(milliseconds(700));
  ASSERT_TRUE(cluster.holds(b));
  for (std::size_t server = 0; server < 3; ++server) {
    cluster.reboot(server);
  }
  const auto c = waiter("c");
  while (cluster.holds(b)) {  // cut off: nothing of it arrives
    cluster.run_for(milliseconds(50), [&](const FakeCluster::Message& m) { return m.client != b; });
    ASSERT_FALSE(cluster.holds(c) && cluster.holds(b));
  }
  cluster.run_for(kLease + seconds(2),
                  [&](const FakeCluster::Message& m) { return m.client != b; });
  EXPECT_TRUE(cluster.holds(c));
}

TEST_F(SessionQueueTest, WhoGivesUpLeavesNoTicket) {
  holder("a");
  const auto b = waiter("b");
  cluster.release(b);
  cluster.run_for(Nanoseconds(0));
  EXPECT_EQ(cluster.count<Released>(b), 1U);
  for (std::size_t server = 0; server < 3; ++server) {
    EXPECT_TRUE(tickets(server).empty());
  }
}

TEST_F(SessionQueueTest, WhatTheDeadLeftBehindIsSweptAway) {
  holder("a");
  const auto b = waiter("b");
  const auto c = waiter("c");
  cluster.kill(b);
  cluster.run_for(2 * kClaim + seconds(2));
  for (std::size_t server = 0; server < 3; ++server) {
    ASSERT_EQ(tickets(server).size(), 1U);
    EXPECT_EQ(tickets(server)[0].claim.client.text, "c");
  }
  EXPECT_FALSE(cluster.holds(c));
}

TEST_F(SessionQueueTest, ATicketGrantsNothing) {
  const auto b = add("b");
  const Ticket first{.number = 1, .claim = {.client = {"ghost"}}, .refresh = 1, .ttl = seconds(60)};
  for (std::size_t server = 0; server < 3; ++server) {
    cluster.server(server).soft.tickets = {first};
  }
  cluster.acquire(b);
  cluster.run_for(Nanoseconds(0));
  EXPECT_FALSE(cluster.holds(b)) << "somebody is before it";
  EXPECT_EQ(cluster.count<Granted>(b), 0U);
}

TEST_F(SessionQueueTest, AWaiterThatComesLaterDoesNotOvertake) {
  const auto a = holder("a");
  const auto b = waiter("b");
  cluster.release(a);  // it knows of nobody, so the lock is free now
  cluster.deliver_all(FakeCluster::of(a));
  const auto c = add("c");
  cluster.acquire(c);
  cluster.deliver_all(FakeCluster::of(c));
  EXPECT_FALSE(cluster.holds(c));
  cluster.run_for(seconds(1));
  EXPECT_TRUE(cluster.holds(b));
}

// One token is handed to one client twice: by a release that only one server hears of, and by the
// same release made anew, which names a later refresh. What was seen of the first says nothing
// about the second, whose lease has just begun.
TEST_F(SessionQueueTest, WhatWasSeenOfOneHandOverIsNoEvidenceAgainstAnother) {
  const auto begin = [&](const std::string& name) {
    const std::size_t client = add(name);
    cluster.client(client).setup.attempt_limit = milliseconds(300);
    cluster.start(client);
    cluster.acquire(client);
    cluster.run_for(Nanoseconds(0));
    return client;
  };
  const auto a = begin("a");
  ASSERT_TRUE(cluster.holds(a));
  const auto b = begin("b");
  const auto c = begin("c");
  cluster.run_for(seconds(1));
  cluster.renew(a);
  cluster.run_for(milliseconds(10));
  const auto waits_only = [&](const FakeCluster::Message& m) {
    return m.client == a || (!std::holds_alternative<Prepare>(m.request) &&
                             !std::holds_alternative<Heartbeat>(m.request));
  };
  cluster.release(a);
  cluster.run_for(seconds(3), [&](const FakeCluster::Message& m) {
    const bool heard = m.client == a ? m.server == 0 : m.client == c || m.server != 0;
    return waits_only(m) && heard;
  });
  ASSERT_NE(cluster.server(0).durable.value->find(FencingToken{2}), nullptr);
  ASSERT_EQ(cluster.server(1).durable.value->find(FencingToken{2}), nullptr);
  cluster.run_for(milliseconds(1000), [&](const FakeCluster::Message& m) {
    return waits_only(m) && m.client != b && (m.client != a || m.server != 0);
  });
  ASSERT_NE(cluster.server(1).durable.value->find(FencingToken{2}), nullptr);
  cluster.run_for(milliseconds(600), [&](const FakeCluster::Message& m) {
    return waits_only(m) && m.client == b && m.server != 0;
  });
  ASSERT_TRUE(cluster.holds(b));
  for (const Nanoseconds end = cluster.now() + seconds(4); cluster.now() < end;) {
    cluster.run_for(milliseconds(20), [&](const FakeCluster::Message& m) { return m.client == c; });
    ASSERT_FALSE(cluster.holds(b) && cluster.holds(c)) << cluster.now().count();
  }
  cluster.run_for(seconds(20), FakeCluster::of(c));
  EXPECT_TRUE(cluster.holds(c));
}

// Readers that come and go must not keep a writer out for ever.
TEST_F(SessionQueueTest, NobodyJoinsThoseForWhomSomebodyWaits) {
  const auto reader = [&](const std::string& name) {
    const std::size_t client = cluster.add(name, seconds(10), {.mode = Mode::shared});
    cluster.client(client).setup.queues = true;
    cluster.start(client);
    cluster.acquire(client, Patience::once);
    cluster.run_for(Nanoseconds(0));
    return client;
  };
  const auto first = reader("first");
  EXPECT_TRUE(cluster.holds(first));
  const auto second = reader("second");
  EXPECT_TRUE(cluster.holds(second));
  const auto writer = waiter("writer");
  cluster.run_for(milliseconds(100));
  const auto late = reader("late");
  EXPECT_FALSE(cluster.holds(late));
  cluster.release(first);
  cluster.release(second);
  cluster.run_for(seconds(1));
  EXPECT_TRUE(cluster.holds(writer));
}

// News of a hand-over is the hand-over: the heir asks nobody before it takes it.
TEST_F(SessionQueueTest, WhoIsToldOfItsInheritanceHasIt) {
  const auto a = holder("a");
  const auto b = waiter("b");
  cluster.renew(a);
  cluster.deliver_all(FakeCluster::any());
  cluster.release(a);
  cluster.deliver_all(FakeCluster::of(a));
  cluster.tell(b, 0);
  EXPECT_FALSE(cluster.holds(b)) << "one server is no majority";
  cluster.tell(b, 1);
  EXPECT_TRUE(cluster.holds(b));
  EXPECT_EQ(asked<Read>() + asked<Prepare>(), 0U);
}

TEST_F(SessionQueueTest, WhoIsToldThatTheLockIsFreeLooksAtOnceInItsTurn) {
  const auto a = holder("a");
  const auto b = waiter("b");
  const auto c = waiter("c");
  cluster.kill(b);
  cluster.release(a);  // knows of nobody who waits
  cluster.drop(FakeCluster::asking<Prepare>());
  cluster.deliver_all(FakeCluster::of(a));
  ASSERT_EQ(cluster.count<Released>(a), 1U);
  const Nanoseconds looks_at = *cluster.session(c).wake_at();
  cluster.tell(c, 0);
  EXPECT_LT(*cluster.session(c).wake_at(), looks_at);
  EXPECT_GT(*cluster.session(c).wake_at(), cluster.clock(c).boot) << "b is before it";
}

// Who hands over may know an old ticket only, of a client that has had the lock since and waits
// anew.
TEST_F(SessionQueueTest, WhoInheritsByAnOldTicketAsksAtOnceForAGrantOfItsOwn) {
  holder("a");
  for (const char* name : {"b", "c", "d"}) {
    waiter(name);
  }
  const auto e = waiter("e");
  for (std::size_t server = 0; server < 3; ++server) {
    Durable& durable = cluster.server(server).durable;
    Holder heir = durable.value->holders[0];
    heir.client = ClientId{"e"};
    heir.token = FencingToken{++durable.value->count};
    heir.ticket = tickets(server).back().refresh - 1;
    durable.value->holders = {heir};
    ++durable.accepted.round;
    durable.promised = std::max(durable.promised, durable.accepted);
    cluster.tell(e, server);
  }
  cluster.run_for(milliseconds(50));
  EXPECT_TRUE(cluster.holds(e)) << "three stand before its new ticket, but it is the holder";
}

// A hand-over that reached one server and was then overruled served nobody.
struct OverruledHandOver : SessionQueueTest {
  std::size_t a = holder("a");
  std::size_t b = waiter("b");
  std::size_t c = waiter("c");
  State held, handed_over, overruled;

  OverruledHandOver() {
    cluster.renew(a);
    cluster.deliver_all(FakeCluster::any());
    const auto& server = cluster.server(1);
    held = handed_over = overruled = state_of(server.durable, server.soft, server.boot);
    ++handed_over.accepted.round;
    handed_over.value->count = 2;
    handed_over.value->holders = {
        Holder{.token = FencingToken{2}, .client = ClientId{"b"}, .ticket = tickets(1)[0].refresh}};
    overruled.accepted.round += 2;
  }
  void show_both() {
    for (int again = 0; again < 2; ++again) {
      cluster.tell(a, 0, handed_over);
      cluster.tell(a, 1, overruled);
    }
    cluster.tell(a, 0, handed_over);  // comes late
  }
};

TEST_F(OverruledHandOver, UsesUpNoTicket) {
  show_both();
  cluster.release(a);
  cluster.run_for(milliseconds(700));
  EXPECT_TRUE(cluster.holds(b));
}

TEST_F(OverruledHandOver, UsesUpNoTicketIfAnotherWasGivenItsToken) {
  overruled.value->count = 2;
  overruled.value->last = Departed{.token = FencingToken{2}, .client = ClientId{"c"}};
  for (const std::size_t server : {1U, 2U}) {
    Durable& durable = cluster.server(server).durable;
    durable.value = overruled.value;
    durable.accepted = overruled.accepted;
    durable.promised = std::max(durable.promised, overruled.accepted);
  }
  show_both();
  cluster.release(a);
  cluster.run_for(milliseconds(700));
  EXPECT_TRUE(cluster.holds(b));
}

// A client that tries once, in a process of its own each time, and calls again every `kStep`.
struct OnceInLine : SessionQueueTest {
  static constexpr Nanoseconds kStep = seconds(1);
  std::map<std::size_t, std::vector<TicketSighting>> remembered;  // by client

  std::size_t caller(const std::string& name, Nanoseconds step = kStep) {
    const std::size_t client = add(name);
    cluster.client(client).setup.step = step;
    cluster.kill(client);
    return client;
  }
  // True if it has the lock now. What it sends last does not arrive.
  bool call(std::size_t client) {
    cluster.start(client);
    for (const TicketSighting& ticket : remembered[client]) {
      cluster.session(client).recall(ticket);
    }
    if (cluster.holds(client)) {
      cluster.renew(client);
    } else {
      cluster.acquire(client, Patience::once);
    }
    cluster.deliver_all(FakeCluster::of(client));
    while (cluster.session(client).wake_at() && !cluster.holds(client)) {
      cluster.pass(std::max(*cluster.session(client).wake_at() - cluster.clock(client).boot,
                            Nanoseconds(0)));
      cluster.wake(client);
      cluster.deliver_all(FakeCluster::of(client));
    }
    const bool has = cluster.holds(client);
    remembered[client] = cluster.session(client).tickets_seen();
    cluster.kill(client);
    return has;
  }
  // Somebody waits since long ago, or so it seems.
  void leave_ticket(const std::string& name) {
    const auto client = waiter(name);
    cluster.kill(client);
  }
};

TEST_F(OnceInLine, HasItsTurnBeforeThoseWhoCameLater) {
  const auto a = holder("a");
  const auto b = caller("b");
  EXPECT_FALSE(call(b));
  EXPECT_TRUE(tickets(0).empty()) << "it may have come to look only";
  cluster.run_for(kStep);
  EXPECT_FALSE(call(b));
  ASSERT_EQ(tickets(0).size(), 1U);
  const auto c = waiter("c");
  cluster.renew(a);
  cluster.deliver_all(FakeCluster::any());
  cluster.release(a);
  cluster.run_for(kStep);
  EXPECT_FALSE(cluster.holds(c)) << "it is the other one's turn";
  EXPECT_TRUE(call(b));
}

// Its last words on the way to success may not have arrived: the next call says them.
TEST_F(OnceInLine, LeavesTheLineWithTheCallAfterItsSuccess) {
  const auto a = holder("a");
  const auto b = caller("b");
  EXPECT_FALSE(call(b));
  cluster.run_for(kStep);
  EXPECT_FALSE(call(b));
  cluster.release(a);
  cluster.run_for(kStep);
  ASSERT_TRUE(call(b));
  EXPECT_EQ(tickets(0).size(), 1U);
  EXPECT_TRUE(call(b)) << "a renewal";
  EXPECT_TRUE(tickets(0).empty());
}

TEST_F(OnceInLine, HasNoPlaceWithoutComingBackSoonEnough) {
  holder("a");
  const auto seldom = caller("seldom", kLease / 2);
  const auto away = caller("away");
  for (const auto one : {seldom, away}) {
    EXPECT_FALSE(call(one));
  }
  cluster.run_for(kLease / 2);
  for (const auto one : {seldom, away}) {
    EXPECT_FALSE(call(one));
  }
  EXPECT_TRUE(tickets(0).empty());
}

TEST_F(OnceInLine, ThatWasAwayTakesItsTicketBackAndBeginsAnew) {
  holder("a");
  const auto b = caller("b");
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(call(b));
    cluster.run_for(kStep);
  }
  ASSERT_EQ(tickets(0).size(), 1U);
  cluster.run_for(4 * kStep);
  EXPECT_FALSE(call(b));
  EXPECT_TRUE(tickets(0).empty());
}

// Senior to this caller, and dead: earlier calls have seen for how long it has not been renewed.
TEST_F(OnceInLine, GrantsNothingToWhoIsSilentByWhatEarlierCallsSaw) {
  const auto a = holder("a");
  leave_ticket("agone");
  const std::vector<Ticket> left = tickets(0);
  const auto b = caller("b");
  const Nanoseconds until = cluster.now() + 2 * kClaim + 2 * kStep;
  while (cluster.now() < until) {
    EXPECT_FALSE(call(b));
    cluster.pass(kStep);
    cluster.renew(a);
    cluster.deliver_all(FakeCluster::any());
  }
  remembered[b] = {{left[0].claim.client, left[0].refresh, Instant{}}};
  for (std::size_t server = 0; server < 3; ++server) {
    cluster.server(server).soft.tickets = left;
    Durable& durable = cluster.server(server).durable;
    durable = absent_record(Epoch{durable.accepted.epoch});
  }
  EXPECT_TRUE(call(b)) << "its first proposal is the one that is chosen";
}

// If those next in line are such callers, nobody else removes what the dead left behind.
TEST_F(OnceInLine, SweepsTheQueue) {
  const auto a = holder("a");
  leave_ticket("agone");
  const auto b = caller("b");
  const Nanoseconds until = cluster.now() + 2 * kClaim + 2 * kStep;
  while (cluster.now() < until) {
    EXPECT_FALSE(call(b));
    cluster.pass(kStep);
    cluster.renew(a);
    cluster.deliver_all(FakeCluster::any());
  }
  for (std::size_t server = 0; server < 3; ++server) {
    EXPECT_TRUE(std::ranges::none_of(
        tickets(server), [](const Ticket& ticket) { return ticket.claim.client.text == "agone"; }));
  }
}

// Somebody who has stopped calling costs its turn once, and is gone after that.
TEST_F(OnceInLine, OneWhoGaveUpCostsItsTurnOnce) {
  const auto a = holder("a");
  const auto gone = caller("agone");
  const auto b = caller("b");
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(call(gone));
    EXPECT_FALSE(call(b));
    cluster.run_for(kStep);
  }
  cluster.release(a);
  cluster.run_for(Nanoseconds(0));
  const Nanoseconds until = cluster.now() + 3 * kClaim;
  bool has = false;
  std::map<std::pair<GrantId, std::size_t>, Sighting> sights;
  while (!has && cluster.now() < until) {
    cluster.pass(kStep);
    cluster.start(b);
    for (const auto& [where, sighting] : sights) {
      cluster.session(b).recall(where.first, where.second, sighting);
    }
    cluster.acquire(b, Patience::once);
    cluster.deliver_all(FakeCluster::of(b));
    for (int wakes = 0; wakes < 10 && cluster.session(b).wake_at() && !cluster.holds(b); ++wakes) {
      cluster.pass(milliseconds(1));
      cluster.wake(b);
      cluster.deliver_all(FakeCluster::of(b));
    }
    has = cluster.holds(b);
    sights.clear();
    for (const auto& [grant, observer] : cluster.session(b).observers()) {
      for (std::size_t server = 0; server < 3; ++server) {
        if (const auto& sighting = observer.sightings()[server]) {
          sights[{grant, server}] = *sighting;
        }
      }
    }
    cluster.kill(b);
  }
  EXPECT_TRUE(has);
  for (std::size_t server = 0; server < 3; ++server) {
    EXPECT_TRUE(std::ranges::none_of(
        tickets(server), [](const Ticket& ticket) { return ticket.claim.client.text == "agone"; }));
  }
}

}  // namespace
}  // namespace dexlock
