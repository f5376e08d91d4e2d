// One suite, many acceptors: whatever home the acceptor function has, it answers what the pure
// function answers, and remembers it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/acceptor_homes.hpp"

namespace dexlock::testing {
namespace {

class AcceptorHome : public ::testing::TestWithParam<Home> {
 protected:
  void SetUp() override {
    if (const std::string why = why_skipped(GetParam()); !why.empty()) {
      GTEST_SKIP() << why;
    }
    port_ = GetParam().make();
  }

  Answer ask(const Request& request, const std::string& name = "jobs/Nightly:1") {
    const Reply reply = port_->ask(name, request);
    if (const auto* fault = std::get_if<Fault>(&reply)) {
      ADD_FAILURE() << "fault: " << fault->text;
      return {};
    }
    return std::get<Answer>(reply);
  }

  std::unique_ptr<AcceptorPort> port_;
};

INSTANTIATE_TEST_SUITE_P(Homes, AcceptorHome, ::testing::ValuesIn(homes()),
                         [](const auto& of) { return of.param.name; });

TEST_P(AcceptorHome, StartsAbsentAndFree) {
  const Answer answer = ask(Read{});
  EXPECT_EQ(answer.verdict, Verdict::state);
  EXPECT_EQ(answer.state.accepted, zero_ballot(Epoch{1}));
  EXPECT_FALSE(answer.state.value.has_value());
}

TEST_P(AcceptorHome, RemembersPromiseAndValueOverAReconnection) {
  EXPECT_EQ(ask(Prepare{.ballot = ballot(3)}).verdict, Verdict::promise);
  EXPECT_EQ(ask(Accept{.ballot = ballot(3), .value = held_by("a", 1), .next = ballot(4)}).verdict,
            Verdict::accepted);
  port_->reconnect();
  const Answer answer = ask(Read{.durable = true});
  EXPECT_EQ(answer.state.promised, ballot(4));
  EXPECT_EQ(answer.state.accepted, ballot(3));
  EXPECT_EQ(answer.state.value, held_by("a", 1));
  EXPECT_EQ(ask(Prepare{.ballot = ballot(4)}).verdict, Verdict::low);
  EXPECT_EQ(ask(Accept{.ballot = ballot(2), .value = held_by("b", 2)}).verdict, Verdict::low);
}

TEST_P(AcceptorHome, AcceptsTheSameValueAgainAndAlarmsAtAnother) {
  ask(Prepare{.ballot = ballot(1)});
  ask(Accept{.ballot = ballot(1), .value = held_by("a", 1)});
  EXPECT_EQ(ask(Accept{.ballot = ballot(1), .value = held_by("a", 1)}).verdict, Verdict::accepted);
  EXPECT_EQ(ask(Accept{.ballot = ballot(1), .value = held_by("b", 1)}).verdict,
            Verdict::two_values);
}

TEST_P(AcceptorHome, KeepsHeartbeatsOverAReconnectionAndRefusesToEvictTheLiving) {
  ask(Prepare{.ballot = ballot(1)});
  ask(Accept{.ballot = ballot(1), .value = held_by("a", 1)});
  const Answer beating = ask(Heartbeat{{1}, 5, ballot(1)});
  EXPECT_EQ(beating.verdict, Verdict::beating);
  port_->reconnect();
  const Answer seen = ask(Read{});
  EXPECT_EQ(seen.state.beats.at({1}), 5U);
  EXPECT_EQ(seen.state.boot, beating.state.boot);

  Prepare evict{.ballot = ballot(2),
                .intent = Intent::evict,
                .victim = {1},
                .beat = 4,
                .boots = {seen.state.boot}};
  EXPECT_EQ(ask(evict).verdict, Verdict::alive);
  evict.beat = 5;
  evict.boots = {{"another"}};
  EXPECT_EQ(ask(evict).verdict, Verdict::alive);
  evict.boots = {{"another"}, seen.state.boot};
  EXPECT_EQ(ask(evict).verdict, Verdict::promise);
}

TEST_P(AcceptorHome, FencesHeartbeatsWhileAnEvictionIsDecided) {
  ask(Prepare{.ballot = ballot(1)});
  const Answer granted = ask(Accept{.ballot = ballot(1), .value = held_by("a", 1)});
  ask(Prepare{
      .ballot = ballot(2), .intent = Intent::evict, .victim = {1}, .boots = {granted.state.boot}});
  if (GetParam().promises_on_sight) {
    EXPECT_EQ(ask(Heartbeat{{1}, 1, ballot(1)}).verdict, Verdict::beating);
    EXPECT_EQ(ask(Accept{.ballot = ballot(2), .value = held_by("b", 2)}).verdict, Verdict::low)
        << "the promise on sight must not outlive a sign of life";
    return;
  }
  EXPECT_EQ(ask(Heartbeat{{1}, 1, ballot(1)}).verdict, Verdict::fenced);
  port_->reconnect();
  EXPECT_EQ(ask(Heartbeat{{1}, 1, ballot(1)}).verdict, Verdict::fenced);
  ask(Accept{.ballot = ballot(2), .value = held_by("b", 2)});
  EXPECT_EQ(ask(Heartbeat{{1}, 1, ballot(1)}).verdict, Verdict::gone);
  EXPECT_EQ(ask(Heartbeat{{2}, 1, ballot(2)}).verdict, Verdict::beating);
}

TEST_P(AcceptorHome, RemembersBeatsOfATokenThatIsListedAgain) {
  ask(Prepare{.ballot = ballot(1)});
  ask(Accept{.ballot = ballot(1), .value = held_by("a", 1)});
  ask(Heartbeat{{1}, 9, ballot(1)});
  ask(Prepare{.ballot = ballot(2)});
  ask(Accept{.ballot = ballot(2), .value = Record{.count = 1, .op = {"gone"}}});
  ask(Prepare{.ballot = ballot(3)});
  const Answer again = ask(Accept{.ballot = ballot(3), .value = held_by("a", 1)});
  EXPECT_EQ(again.verdict, Verdict::accepted);
  if (GetParam().forgets_past_beats) {
    EXPECT_EQ(again.state.beats.size(), 0U);
    return;
  }
  EXPECT_EQ(again.state.beats.at({1}), 9U);
}

TEST_P(AcceptorHome, KeepsLocksApart) {
  ask(Prepare{.ballot = ballot(1)}, "a");
  ask(Accept{.ballot = ballot(1), .value = held_by("a", 1)}, "a");
  EXPECT_FALSE(ask(Read{}, "ab").state.value.has_value());
  EXPECT_FALSE(ask(Read{}, "A").state.value.has_value());
  EXPECT_FALSE(ask(Read{}, std::string(200, 'L')).state.value.has_value());
  EXPECT_TRUE(ask(Read{}, "a").state.value.has_value());
}

TEST_P(AcceptorHome, CarriesTheLargestRecord) {
  Record record{.count = 20, .op = {"big"}};
  for (std::uint64_t token = 1; token <= kFilesHoldersMax; ++token) {
    record.holders.push_back(Holder{.token = {token},
                                    .client = {std::string(32, 'c')},
                                    .op = {std::string(32, 'o')},
                                    .mode = Mode::shared,
                                    .terms = {std::chrono::milliseconds(2147483647), {}, {}, 1},
                                    .who = std::string(kWhoBytesMax, 'w')});
  }
  record.data = std::string(kDataBytesMax, 'd');
  ask(Prepare{.ballot = ballot(1)});
  EXPECT_EQ(ask(Accept{.ballot = ballot(1), .value = record}).verdict, Verdict::accepted);
  port_->reconnect();
  EXPECT_EQ(ask(Read{}).state.value, record);
  EXPECT_EQ(ask(Heartbeat{{16}, 2147483647, ballot(1)}).verdict, Verdict::beating);
}

TEST(SoleAcceptor, DoesNotAcceptOnASightThatHasChanged) {
  EmbeddedPort port(true);
  const auto verdict = [](const Reply& reply) { return std::get<Answer>(reply).verdict; };
  EXPECT_EQ(verdict(port.ask("x", Prepare{.ballot = ballot(1, 1)})), Verdict::promise);
  // Somebody else comes in between.
  EXPECT_EQ(verdict(port.ask("x", Prepare{.ballot = ballot(1, 9)})), Verdict::promise);
  EXPECT_EQ(verdict(port.ask("x", Accept{.ballot = ballot(1, 9), .value = held_by("b", 1)})),
            Verdict::accepted);
  EXPECT_EQ(verdict(port.ask("x", Accept{.ballot = ballot(1, 1), .value = held_by("a", 1)})),
            Verdict::low);
}

TEST(SoleAcceptor, TakesNoValueWithoutAPromise) {
  EmbeddedPort port(true);
  const Reply reply = port.ask("x", Accept{.ballot = ballot(7), .value = held_by("a", 1)});
  EXPECT_EQ(std::get<Answer>(reply).verdict, Verdict::low);
}

TEST(SoleAcceptor, TakesTheValueOfAStickyPromise) {
  EmbeddedPort port(true);
  port.ask("x", Prepare{.ballot = ballot(1)});
  port.ask("x", Accept{.ballot = ballot(1), .value = held_by("a", 1), .next = ballot(2)});
  const Reply reply =
      port.ask("x", Accept{.ballot = ballot(2), .value = Record{.count = 1, .op = {"free"}}});
  EXPECT_EQ(std::get<Answer>(reply).verdict, Verdict::accepted);
}

TEST(Acceptors, RefuseToAnswerForAnotherGroup) {
  EmbeddedPort port(false);
  ScratchDirectory scratch;
  auto store = EmbeddedStore::open({.path = scratch.path() / "store"});
  ASSERT_TRUE(store);
  EmbeddedAcceptor acceptor(*store, false);
  const Where elsewhere{"otherothergroup", (*store)->incarnation(), Epoch{1}};
  const Reply reply = acceptor.serve(elsewhere, "x", Read{});
  ASSERT_TRUE(std::holds_alternative<Fault>(reply));
  EXPECT_EQ(std::get<Fault>(reply).kind, FaultKind::not_member);
}

}  // namespace
}  // namespace dexlock::testing
