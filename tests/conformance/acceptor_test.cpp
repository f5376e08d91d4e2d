// One suite, many acceptors: whatever home the acceptor function has, it answers what the pure
// function answers, and remembers it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>

#include "conformance/acceptor_port.hpp"
#include "lock/change.hpp"
#include "lock/random.hpp"

namespace dexlock::testing {
namespace {

struct Home {
  std::string name;
  std::function<std::unique_ptr<AcceptorPort>()> make;
  std::string program;             // skipped, visibly, where it is missing
  bool promises_on_sight = false;  // a sole acceptor shows no promise before the value

  friend std::ostream& operator<<(std::ostream& out, const Home& home) { return out << home.name; }
};

std::string path_of(const std::string& program) {
  for (const std::string place : {"/bin/", "/usr/bin/", "/usr/local/bin/"}) {
    if (::access((place + program).c_str(), X_OK) == 0) {
      return place + program;
    }
  }
  return "";
}

std::vector<Home> homes() {
  const auto shell = [](std::string name, std::vector<std::string> command) {
    const std::string program = command.front();
    command.front() = path_of(program);
    return Home{
        name,
        [kind = ShellKind{name, std::move(command)}] { return std::make_unique<ShellPort>(kind); },
        program};
  };
  return {{"embedded", [] { return std::make_unique<EmbeddedPort>(false); }, "sh"},
          {"sole", [] { return std::make_unique<EmbeddedPort>(true); }, "sh", true},
          {"native", [] { return std::make_unique<NativePort>(); }, "sh"},
          shell("dash", {"dash"}),
          shell("bash", {"bash", "--posix"}),
          shell("busybox", {"busybox", "sh"}),
          shell("mksh", {"mksh"}),
          shell("ksh93", {"ksh93"}),
          shell("yash", {"yash"}),
          shell("posh", {"posh"}),
          shell("zsh", {"zsh", "--emulate", "sh"})};
}

class AcceptorHome : public ::testing::TestWithParam<Home> {
 protected:
  void SetUp() override {
    if (path_of(GetParam().program).empty()) {
      GTEST_SKIP() << GetParam().program << " is not installed";
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

Ballot ballot(std::uint32_t round, std::uint32_t proposer = 1) {
  return Ballot{1, round, {proposer, 7}, 0};
}

Record held_by(const std::string& client, std::uint64_t count) {
  Record record{.count = count, .op = {"op" + client}};
  record.holders.push_back(Holder{.token = {count},
                                  .client = {client},
                                  .op = {"op" + client},
                                  .terms = {std::chrono::seconds(30), {}, {}, 1000},
                                  .who = "a user@host pid 1 \"sh\" \\ *"});
  return record;
}

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

// The same random requests to this acceptor and to the pure function: the same answers, step by
// step.
TEST_P(AcceptorHome, AnswersAsThePureFunctionDoes) {
  if (GetParam().promises_on_sight) {
    GTEST_SKIP() << "takes values only on promises of its own; see the tests of SoleAcceptor";
  }
  constexpr int kSteps = 60;
  Random random(20261123);
  Durable durable = absent_record(Epoch{1});
  Soft soft;
  const BootId boot = ask(Read{}).state.boot;
  std::vector<Record> values{held_by("a", 1), held_by("b", 2), Record{.count = 2, .op = {"free"}},
                             held_by("c", 3)};
  for (int step = 0; step < kSteps; ++step) {
    const auto round = static_cast<std::uint32_t>(durable.promised.round + random.below(3));
    const Ballot at = ballot(round, static_cast<std::uint32_t>(1 + random.below(2)));
    Request request = Read{};
    switch (random.below(4)) {
      case 0:
        request = Prepare{.ballot = at,
                          .intent = static_cast<Intent>(random.below(3)),
                          .claim = {.client = {"a"}},
                          .victim = {1 + random.below(3)},
                          .beat = static_cast<std::uint32_t>(random.below(6)),
                          .boots = {boot}};
        break;
      case 1:
        request =
            Accept{.ballot = at,
                   .value = values[random.below(values.size())],
                   .next = random.below(2) == 0 ? std::optional(ballot(round + 1)) : std::nullopt,
                   .open = random.below(2) == 0};
        break;
      case 2:
        request = Heartbeat{
            {1 + random.below(3)}, static_cast<std::uint32_t>(random.below(9)), durable.accepted};
        break;
      default:
        break;
    }
    const Step wanted = apply(durable, soft, boot, request);
    const Answer got = ask(request);
    ASSERT_EQ(got.verdict, wanted.verdict) << "step " << step;
    ASSERT_EQ(got.state.promised, durable.promised) << "step " << step;
    ASSERT_EQ(got.state.fence, durable.fence) << "step " << step;
    ASSERT_EQ(got.state.accepted, durable.accepted) << "step " << step;
    ASSERT_EQ(got.state.open, durable.open) << "step " << step;
    ASSERT_EQ(got.state.value, durable.value) << "step " << step;
    ASSERT_EQ(got.state.beats, soft.beats) << "step " << step;
    if (step % 13 == 12) {
      port_->reconnect();
    }
  }
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
