// What is done to a lock on purpose: broken, on hold, handed over, released for the dead.
#include <gtest/gtest.h>

#include "cluster.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct SessionAmendTest : testing::Test {
  FakeCluster cluster{3};

  std::size_t add(const std::string& name) {
    const std::size_t client = cluster.add(name);
    cluster.client(client).setup.queues = true;
    cluster.start(client);
    return client;
  }
  std::size_t asking(const std::string& name) {
    const std::size_t client = add(name);
    cluster.acquire(client);
    cluster.run_for(Nanoseconds(0));
    return client;
  }
  template <class E>
  const E* last(std::size_t client) {
    for (auto at = cluster.client(client).events.rbegin();
         at != cluster.client(client).events.rend(); ++at) {
      if (const auto* event = std::get_if<E>(&*at)) {
        return event;
      }
    }
    return nullptr;
  }
  void do_it(std::size_t client, const Amendment& amendment) {
    cluster.view(client);
    cluster.run_for(Nanoseconds(0));
    EXPECT_NE(last<Viewed>(client), nullptr);
    cluster.amend(client, amendment);
  }
  std::size_t fenced() {
    std::size_t servers = 0;
    for (std::size_t server = 0; server < 3; ++server) {
      const Durable& durable = cluster.server(server).durable;
      servers += durable.fence > durable.accepted ? 1U : 0U;
    }
    return servers;
  }
};

TEST_F(SessionAmendTest, ABrokenHolderLosesTheLockWithItsNextRenewal) {
  const std::size_t a = asking("a");
  const std::size_t operator_ = add("op");
  do_it(operator_, BreakHolder{FencingToken{1}});
  cluster.run_for(Nanoseconds(0));
  const auto* amended = last<Amended>(operator_);
  ASSERT_NE(amended, nullptr);
  EXPECT_TRUE(amended->sent);
  EXPECT_TRUE(amended->record.is_free());
  EXPECT_EQ(amended->record.last->how, EndKind::broken);
  EXPECT_TRUE(cluster.holds(a)) << "it does not know yet";
  cluster.renew(a);
  cluster.run_for(Nanoseconds(0));
  EXPECT_FALSE(cluster.holds(a));
  EXPECT_EQ(cluster.count<Lost>(a), 1U);
}

TEST_F(SessionAmendTest, WhoIsBrokenCannotRenewWhileItIsBeingDecided) {
  const std::size_t a = asking("a");
  const std::size_t operator_ = add("op");
  do_it(operator_, BreakHolder{FencingToken{1}});
  cluster.deliver_all(FakeCluster::asking<Prepare>());
  EXPECT_EQ(fenced(), 3U);
  cluster.drop(FakeCluster::of(operator_));
  const std::size_t before = cluster.count<Renewed>(a);
  cluster.renew(a);
  cluster.deliver_all(
      [](const FakeCluster::Message& m) { return std::holds_alternative<Heartbeat>(m.request); });
  EXPECT_EQ(cluster.count<Renewed>(a), before);
  // The operator is gone: the holder clears the way and goes on.
  cluster.run_for(seconds(1), FakeCluster::of(a));
  EXPECT_EQ(cluster.count<Lost>(a), 0U);
  EXPECT_GT(cluster.count<Renewed>(a), before);
}

TEST_F(SessionAmendTest, AnotherTokenDisturbsNobody) {
  const std::size_t a = asking("a");
  const std::size_t operator_ = add("op");
  do_it(operator_, BreakHolder{FencingToken{7}});
  cluster.run_for(Nanoseconds(0));
  const auto* amended = last<Amended>(operator_);
  ASSERT_NE(amended, nullptr);
  EXPECT_FALSE(amended->sent);
  EXPECT_NE(amended->record.find(FencingToken{1}), nullptr);
  EXPECT_EQ(fenced(), 0U);
  const std::size_t before = cluster.count<Renewed>(a);
  cluster.renew(a);
  cluster.run_for(Nanoseconds(0));
  EXPECT_EQ(cluster.count<Renewed>(a), before + 1);
}

TEST_F(SessionAmendTest, ABrokenLockGoesToWhoIsNextInLine) {
  asking("a");
  const std::size_t b = asking("b");
  asking("c");
  do_it(add("op"), BreakHolder{FencingToken{1}});
  cluster.run_for(seconds(1));
  EXPECT_TRUE(cluster.holds(b));
  EXPECT_EQ(cluster.session(b).token(), FencingToken{2});
}

TEST_F(SessionAmendTest, ALostAnswerIsFoundOutByAskingAgain) {
  asking("a");
  const std::size_t operator_ = add("op");
  do_it(operator_, BreakHolder{FencingToken{1}});
  cluster.deliver_all([](const FakeCluster::Message& m) {
    return m.reply || std::holds_alternative<Prepare>(m.request);
  });
  cluster.deliver_all(FakeCluster::asking<Accept>());
  cluster.drop(FakeCluster::of(operator_));  // chosen, and nobody has been told
  EXPECT_TRUE(cluster.session(operator_).may_be_amended());
  EXPECT_EQ(last<Amended>(operator_), nullptr);
  cluster.run_for(seconds(20));
  const auto* amended = last<Amended>(operator_);
  ASSERT_NE(amended, nullptr);
  EXPECT_TRUE(amended->sent);
  EXPECT_EQ(amended->record.last->token, FencingToken{1});
}

TEST_F(SessionAmendTest, TwoOperatorsAtOnceBreakOneHolderOnce) {
  asking("a");
  asking("b");
  const std::size_t one = add("one");
  const std::size_t two = add("two");
  cluster.view(one);
  cluster.view(two);
  cluster.run_for(Nanoseconds(0));
  cluster.amend(one, BreakHolder{FencingToken{1}});
  cluster.amend(two, BreakHolder{FencingToken{1}});
  cluster.run_for(seconds(5));
  ASSERT_NE(last<Amended>(one), nullptr);
  ASSERT_NE(last<Amended>(two), nullptr);
  for (const auto& [ballot, record] : cluster.chosen) {
    EXPECT_LE(record.count, 2U) << "the next holder was broken, too";
  }
}

TEST_F(SessionAmendTest, OnHoldNobodyIsServedUntilItIsLifted) {
  const std::size_t a = asking("a");
  const std::size_t operator_ = add("op");
  do_it(operator_, PutOnHold{"disk swap"});
  cluster.run_for(Nanoseconds(0));
  const std::size_t b = asking("b");
  cluster.release(a);
  const std::size_t c = asking("c");
  const std::size_t once = add("once");
  cluster.acquire(once, Patience::once);
  cluster.run_for(seconds(30));
  EXPECT_EQ(cluster.count<Released>(a), 1U);
  EXPECT_FALSE(cluster.holds(b));
  EXPECT_FALSE(cluster.holds(c));
  ASSERT_NE(last<Closed>(once), nullptr);
  EXPECT_EQ(last<Closed>(once)->record.gate.note, "disk swap");
  ASSERT_NE(last<Busy>(b), nullptr);
  EXPECT_EQ(last<Busy>(b)->record.gate.note, "disk swap");
  do_it(operator_, LiftHold{});
  cluster.run_for(Nanoseconds(0));
  ASSERT_NE(last<Amended>(operator_), nullptr);
  EXPECT_EQ(last<Amended>(operator_)->record.find(ClientId{"b"})->token, FencingToken{2})
      << "whoever lifts it serves the next in line";
  cluster.run_for(seconds(1));
  EXPECT_TRUE(cluster.holds(b));
}

TEST_F(SessionAmendTest, AFastBallotRespectsAHold) {
  const std::size_t operator_ = add("op");
  do_it(operator_, PutOnHold{"disk swap"});
  cluster.run_for(Nanoseconds(0));
  for (std::size_t server = 0; server < 3; ++server) {
    cluster.server(server).durable.open = true;  // as an operator of another version may leave it
  }
  cluster.fast_ballots = true;
  const std::size_t a = add("a");
  cluster.acquire(a, Patience::once);
  ASSERT_EQ(std::ranges::count_if(cluster.wire, FakeCluster::asking<Fast>()), 3);
  cluster.run_for(seconds(1));
  EXPECT_FALSE(cluster.holds(a));
  EXPECT_NE(last<Closed>(a), nullptr);
}

TEST_F(SessionAmendTest, OnHoldTheDeadAreRemovedAndNobodyIsServed) {
  const std::size_t a = asking("a");
  const std::size_t b = asking("b");
  do_it(add("op"), PutOnHold{""});
  cluster.run_for(Nanoseconds(0));
  cluster.kill(a);
  cluster.run_for(seconds(40));
  EXPECT_FALSE(cluster.holds(b));
  EXPECT_TRUE(cluster.server(0).durable.value->is_free());
  EXPECT_EQ(cluster.server(0).durable.value->last->how, EndKind::expired);
}

TEST_F(SessionAmendTest, AHolderHandsOverToTheNextOrToWhomItNames) {
  const std::size_t a = asking("a");
  const std::size_t b = asking("b");
  const std::size_t c = asking("c");
  cluster.hand_over(a, ClientId{"c"});
  cluster.run_for(seconds(1));
  EXPECT_TRUE(cluster.holds(c));
  EXPECT_FALSE(cluster.holds(a));
  EXPECT_EQ(cluster.count<HandedOver>(a), 1U);
  EXPECT_EQ(cluster.count<Released>(a), 1U);
  cluster.hand_over(c);
  cluster.run_for(seconds(1));
  EXPECT_TRUE(cluster.holds(b));
}

TEST_F(SessionAmendTest, AValueAskedForDuringAHandOverIsNotStoredWithALaterHold) {
  const std::size_t a = asking("a");
  const std::size_t b = asking("b");
  cluster.hand_over(a);
  cluster.store(a, "v");
  cluster.run_for(seconds(1));
  ASSERT_TRUE(cluster.holds(b));
  cluster.release(b);
  cluster.run_for(seconds(1));
  cluster.acquire(a);
  cluster.run_for(seconds(1));
  ASSERT_TRUE(cluster.holds(a));
  cluster.hand_over(a);
  cluster.run_for(seconds(1));
  ASSERT_EQ(cluster.count<NotHandedOver>(a), 1U);
  EXPECT_EQ(cluster.count<Stored>(a), 0U);
  EXPECT_EQ(cluster.server(0).durable.value->data, "");
}

TEST_F(SessionAmendTest, WithoutAWaiterTheLockIsKept) {
  const std::size_t a = asking("a");
  cluster.hand_over(a);
  cluster.run_for(Nanoseconds(0));
  EXPECT_EQ(cluster.count<NotHandedOver>(a), 1U);
  EXPECT_TRUE(cluster.holds(a));
  asking("b");
  cluster.hand_over(a, ClientId{"somebody"});
  cluster.run_for(Nanoseconds(0));
  EXPECT_EQ(cluster.count<NotHandedOver>(a), 2U);
  EXPECT_TRUE(cluster.holds(a));
  const std::size_t before = cluster.count<Renewed>(a);
  cluster.renew(a);
  cluster.run_for(Nanoseconds(0));
  EXPECT_EQ(cluster.count<Renewed>(a), before + 1);
  cluster.release(a);
  cluster.run_for(Nanoseconds(0));
  EXPECT_EQ(cluster.count<Released>(a), 1U);
}

TEST_F(SessionAmendTest, TheBeliefEndsBeforeTheHandOverLeaves) {
  const std::size_t a = asking("a");
  const std::size_t b = asking("b");
  cluster.hand_over(a);
  EXPECT_TRUE(cluster.holds(a)) << "so far it has only asked";
  cluster.deliver_all(
      [](const FakeCluster::Message& m) { return std::holds_alternative<Prepare>(m.request); });
  ASSERT_GT(std::ranges::count_if(cluster.wire, FakeCluster::asking<Accept>()), 0);
  EXPECT_FALSE(cluster.holds(a));
  EXPECT_EQ(parse_saved(cluster.client(a).saved)->token, FencingToken{})
      << "a later process must not believe it either";
  cluster.drop(FakeCluster::of(a));  // it is not known what became of it
  cluster.run_for(seconds(20));
  EXPECT_TRUE(cluster.holds(b));
  EXPECT_EQ(cluster.count<Released>(a), 1U);
}

TEST_F(SessionAmendTest, AHandOverWhoseAnswersAreLostIsFoundOut) {
  const std::size_t a = asking("a");
  asking("b");
  cluster.hand_over(a);
  cluster.deliver_all(
      [](const FakeCluster::Message& m) { return std::holds_alternative<Prepare>(m.request); });
  cluster.deliver_all(FakeCluster::asking<Accept>());
  cluster.drop([a](const FakeCluster::Message& m) { return m.client == a; });
  cluster.run_for(seconds(20), FakeCluster::of(a));
  EXPECT_EQ(cluster.count<HandedOver>(a), 1U);
  EXPECT_NE(last<HandedOver>(a)->record.find(ClientId{"b"}), nullptr);
}

TEST_F(SessionAmendTest, TheReleaseOfADeadClientIsOfItsTokenOnly) {
  const std::size_t a = asking("a");
  const std::size_t b = asking("b");
  cluster.kill(a);
  do_it(add("one"), ReleaseDead{ClientId{"a"}, FencingToken{9}});
  cluster.run_for(Nanoseconds(0));
  EXPECT_NE(cluster.server(0).durable.value->find(ClientId{"a"}), nullptr);
  do_it(add("two"), ReleaseDead{ClientId{"a"}, FencingToken{1}});
  cluster.run_for(seconds(1));
  EXPECT_TRUE(cluster.holds(b));
  EXPECT_EQ(cluster.server(0).durable.value->last->how, EndKind::released);
}

TEST_F(SessionAmendTest, WithoutAMajorityItIsToldAndNothingIsClaimed) {
  asking("a");
  const std::size_t operator_ = add("op");
  for (std::size_t server : {1U, 2U}) {
    cluster.server(server).up = false;
    cluster.server(server).refuses = true;
  }
  cluster.amend(operator_, PutOnHold{});
  cluster.run_for(seconds(2));
  EXPECT_GE(cluster.count<NoQuorum>(operator_), 1U);
  EXPECT_FALSE(cluster.session(operator_).may_be_amended());
  for (std::size_t server : {1U, 2U}) {
    cluster.server(server).up = true;
  }
  cluster.run_for(seconds(2));
  EXPECT_NE(last<Amended>(operator_), nullptr);
}

}  // namespace
}  // namespace dexlock
