#include "register/proposer.hpp"

#include <gtest/gtest.h>

#include "lock/quorum.hpp"
#include "register/acceptor.hpp"

namespace dexlock {
namespace {

using std::chrono::seconds;

constexpr ProposerId kMe{5, 5};

Record marked(const std::string& op, std::uint64_t count = 1) {
  return Record{.count = count, .op = {op}};
}

Operation writing(const std::string& op, Intent intent = Intent::plain) {
  Operation operation{.intent = intent, .claim = {.client = {"me"}}};
  operation.change = [op](const Record& base, const auto&) {
    return Change{.next = marked(op, base.count + 1), .declined = {}};
  };
  return operation;
}

Instant at(std::int64_t s) { return {seconds(s), seconds(s)}; }

struct ProposerTest : testing::Test {
  static constexpr std::size_t kServers = 3;
  Proposer proposer{kServers, Epoch{1}, kMe};
  std::vector<Durable> durable{kServers, absent_record(Epoch{1})};
  std::vector<Soft> soft{kServers};
  std::vector<Send> sends;
  std::optional<Outcome> done;

  void take(ProposerOutput output) {
    sends = output.sends.empty() ? sends : output.sends;
    if (output.done) {
      EXPECT_FALSE(done) << "ended twice";
      done = std::move(output.done);
    }
  }
  void start(Operation operation, std::optional<Sticky> sticky = {}, Instant now = at(1)) {
    done.reset();
    take(proposer.start(std::move(operation), std::move(sticky), now));
  }
  Reply answer(const Send& send) {
    const BootId boot{"b"};
    const Step step = apply(durable[send.server], soft[send.server], boot, send.request);
    return Answer{step.verdict, state_of(durable[send.server], soft[send.server], boot)};
  }
  void deliver(const Send& send) {
    take(proposer.on_reply(send.server, send.attempt, answer(send), at(2)));
  }
  // One phase: these servers answer, in this order.
  void phase(const std::vector<std::size_t>& servers) {
    const std::vector<Send> now = sends;
    for (const std::size_t server : servers) {
      deliver(now[server]);
    }
  }
  void fails(std::size_t server) {
    take(proposer.on_reply(server, proposer.last_attempt(), Fault{}, at(2)));
  }
  template <class T>
  const T& outcome() {
    const T* got = done ? std::get_if<T>(&*done) : nullptr;
    EXPECT_NE(got, nullptr) << "another outcome, or none";
    static const T kNone{};
    return got != nullptr ? *got : kNone;
  }
  Chosen choose(const std::string& op, const std::vector<std::size_t>& servers = {0, 1, 2}) {
    start(writing(op));
    phase(servers);
    phase(servers);
    return outcome<Chosen>();
  }
  [[nodiscard]] Ballot ballot_sent() const {
    const auto* prepare = std::get_if<Prepare>(&sends.at(0).request);
    return prepare != nullptr ? prepare->ballot : std::get<Accept>(sends.at(0).request).ballot;
  }
  [[nodiscard]] bool preparing() const {
    return std::holds_alternative<Prepare>(sends.at(0).request);
  }
};

TEST_F(ProposerTest, ChoosesItsValueWithAMajorityInTwoRounds) {
  start(writing("a"));
  EXPECT_TRUE(preparing());
  phase({2, 0});
  EXPECT_FALSE(preparing());
  phase({2});
  EXPECT_FALSE(done);
  phase({0});
  EXPECT_EQ(outcome<Chosen>().value, marked("a"));
  EXPECT_EQ(outcome<Chosen>().sent, at(2)) << "read before the first accept left";
  EXPECT_TRUE(proposer.idle());
}

TEST_F(ProposerTest, BuildsOnWhatAMajorityKnows) {
  choose("a", {0, 1});
  proposer = Proposer(kServers, Epoch{1}, ProposerId{6, 6});
  start(writing("b"));
  phase({1, 2});
  EXPECT_TRUE(preparing()) << "its round was too low at one of the two";
  take(proposer.abandon());
  start(writing("b"));
  phase({1, 2});
  phase({1, 2});
  EXPECT_EQ(outcome<Chosen>().value, marked("b", 2));
}

// Protocol 10, item 9: rounds are learned from what is seen, never from a clock.
TEST_F(ProposerTest, LearnsRoundsFromRefusals) {
  for (Durable& d : durable) {
    d.promised = Ballot{.round = 900, .proposer = {9, 9}};
  }
  start(writing("a"), {}, at(1'000'000));
  EXPECT_EQ(ballot_sent().round, 1U);
  phase({0, 1});
  EXPECT_FALSE(outcome<Refused>().answered == false);
  start(writing("a"));
  EXPECT_EQ(ballot_sent().round, 901U);
}

// T32: a lying server cannot drive it to the end of the numbers.
TEST_F(ProposerTest, IsNotDrivenToTheEndOfTheRoundsByALiar) {
  State liar;
  liar.promised.round = kRoundMax;
  proposer.saw(liar);
  start(writing("a"));
  EXPECT_LT(ballot_sent().round, kRoundMax);
}

// Protocol 10, item 1, and T8: a ballot is burnt by the first accept that left, whatever became of
// it.
TEST_F(ProposerTest, NeverUsesABallotAgainAfterAnAcceptThatFailedQuietly) {
  start(writing("a"));
  phase({0, 1});
  const Ballot burnt = ballot_sent();
  fails(0);
  fails(1);
  EXPECT_TRUE(done && std::holds_alternative<Unknown>(*done));
  start(writing("b"));
  EXPECT_TRUE(preparing());
  EXPECT_GT(ballot_sent(), burnt);
}

TEST_F(ProposerTest, NeverUsesABallotAgainAfterItGaveUp) {
  for (const bool accepting : {false, true}) {
    start(writing("a"));
    if (accepting) {
      phase({0, 1});
    }
    const Ballot burnt = ballot_sent();
    done.reset();
    take(proposer.abandon());
    EXPECT_EQ(std::holds_alternative<Unknown>(*done), accepting);
    start(writing("b"));
    EXPECT_GT(ballot_sent(), burnt);
    take(proposer.abandon());
    done.reset();
  }
}

// T16: two replies of one server are one.
TEST_F(ProposerTest, CountsOneReplyPerServerAndPhase) {
  start(writing("a"));
  const Send first = sends[0];
  const Reply promise = answer(first);
  for (int i = 0; i < 3; ++i) {
    take(proposer.on_reply(0, first.attempt, promise, at(2)));
  }
  EXPECT_TRUE(preparing()) << "no majority of promises";
  phase({1});
  const Send accept = sends[0];
  const Reply ack = answer(accept);
  for (int i = 0; i < 3; ++i) {
    take(proposer.on_reply(0, accept.attempt, ack, at(2)));
  }
  EXPECT_FALSE(done) << "no majority of acceptances";
}

// T17: one reply per server and ballot, and promises are no acceptances.
TEST_F(ProposerTest, IgnoresRepliesOfAnEarlierPhaseOrAttempt) {
  start(writing("a"));
  const std::vector<Send> prepares = sends;
  const Reply late = answer(prepares[2]);
  phase({0, 1});
  take(proposer.on_reply(2, prepares[2].attempt, late, at(2)));
  EXPECT_FALSE(done);
  done.reset();
  take(proposer.abandon());
  start(writing("b"));
  take(proposer.on_reply(2, prepares[2].attempt, late, at(2)));
  take(proposer.on_reply(1, prepares[1].attempt, late, at(2)));
  EXPECT_TRUE(preparing()) << "promises for another ballot";
}

// T16: servers of another epoch promise nothing in this one.
TEST_F(ProposerTest, CountsNoServerOfAnotherEpoch) {
  durable[0] = absent_record(Epoch{2});
  durable[1] = absent_record(Epoch{2});
  start(writing("a"));
  phase({0, 1});
  EXPECT_TRUE(outcome<Refused>().answered);
}

TEST_F(ProposerTest, KeepsAStickyPromiseThatAMajorityGave) {
  const Chosen chosen = choose("a");
  ASSERT_TRUE(chosen.sticky);
  EXPECT_EQ(chosen.sticky->base, chosen.value);
  start(writing("b"), chosen.sticky);
  EXPECT_FALSE(preparing()) << "one round trip";
  phase({1, 2});
  EXPECT_EQ(outcome<Chosen>().value, marked("b", 2));
}

// T15 and protocol 10, item 7: fewer than a majority carried it.
TEST_F(ProposerTest, KeepsNoStickyPromiseThatAMinorityGave) {
  start(writing("a"));
  phase({0, 1});
  for (const std::size_t server : {std::size_t{0}, std::size_t{1}}) {
    auto reply = std::get<Answer>(answer(sends[server]));
    if (server == 1) {
      reply.state.promised = Ballot{.round = 50, .proposer = {9, 9}};  // stolen meanwhile
    }
    take(proposer.on_reply(server, sends[server].attempt, reply, at(2)));
  }
  EXPECT_FALSE(outcome<Chosen>().sticky);
}

TEST_F(ProposerTest, AsksForNoStickyPromiseItDoesNotWant) {
  Operation operation = writing("a");
  operation.want_sticky = false;
  start(std::move(operation));
  phase({0, 1});
  EXPECT_FALSE(std::get<Accept>(sends[0].request).next);
  phase({0, 1});
  EXPECT_FALSE(outcome<Chosen>().sticky);
}

// T5: an eviction must prove afresh that the victim is silent, and must set its fence.
TEST_F(ProposerTest, PreparesForAnEvictionAlthoughItHasAStickyPromise) {
  const Chosen chosen = choose("a");
  start(writing("b", Intent::evict), chosen.sticky);
  EXPECT_TRUE(preparing());
}

TEST_F(ProposerTest, PreparesForAForcedEvictionAlthoughItHasAStickyPromise) {
  const Chosen chosen = choose("a");
  start(writing("b", Intent::force), chosen.sticky);
  EXPECT_TRUE(preparing()) << "without a prepare there is no fence";
}

// T8: used or not, a sticky promise is good for one value.
TEST_F(ProposerTest, UsesAStickyPromiseForOneValueOnly) {
  const Chosen chosen = choose("a");
  start(writing("b"), chosen.sticky);
  const Ballot used = ballot_sent();
  take(proposer.abandon());
  start(writing("c"), chosen.sticky);
  EXPECT_TRUE(preparing());
  EXPECT_GT(ballot_sent(), used);
}

TEST_F(ProposerTest, LosesAStickyPromiseToAHigherPrepare) {
  const Chosen chosen = choose("a");
  for (std::size_t server = 0; server < 2; ++server) {
    static_cast<void>(apply(durable[server], soft[server], BootId{"b"},
                            Prepare{.ballot = {.round = 40, .proposer = {9, 9}}}));
  }
  start(writing("b"), chosen.sticky);
  phase({0, 1});
  EXPECT_TRUE(done && std::holds_alternative<Unknown>(*done)) << "it may be on one server";
}

// Protocol 10, item 2: a value rejected by a majority may be chosen later.
TEST_F(ProposerTest, DoesNotTakeARejectionForProofThatItDidNotHappen) {
  start(writing("a"));
  phase({0, 1});
  const std::vector<Send> accepts = sends;
  deliver(accepts[2]);  // one server has it
  fails(0);
  fails(1);
  EXPECT_TRUE(done && std::holds_alternative<Unknown>(*done));
  start(writing("b"));
  phase({1, 2});
  phase({1, 2});
  EXPECT_EQ(outcome<Chosen>().value, marked("b", 2)) << "b builds on a";
}

// Protocol 10, item 3: what was declined tells the base, but nothing was written.
TEST_F(ProposerTest, ReportsWhatItDeclinedWithoutWriting) {
  Operation operation;
  operation.change = [](const Record&, const auto&) {
    return Change{.next = {}, .declined = Declined::no_room};
  };
  start(std::move(operation));
  phase({0, 1});
  EXPECT_EQ(outcome<DeclinedBy>().declined, Declined::no_room);
  EXPECT_EQ(durable[0].accepted, zero_ballot(Epoch{1}));
  EXPECT_TRUE(proposer.idle());
}

TEST_F(ProposerTest, StopsAsSoonAsNoMajorityOfPromisesIsPossible) {
  start(writing("a"));
  fails(0);
  EXPECT_FALSE(done);
  fails(2);
  EXPECT_FALSE(outcome<Refused>().answered);
}

// One server is gone for good, the lock has seen some rounds, and this process knows of none.
TEST_F(ProposerTest, HearsAMajorityBeforeItStopsForWantOfPromises) {
  durable[0].promised = durable[1].promised = Ballot{1, 7, {1, 1}};
  start(writing("a"));
  fails(2);
  const std::vector<Send> asked = sends;
  deliver(asked[0]);
  EXPECT_FALSE(done);
  deliver(asked[1]);
  EXPECT_TRUE(outcome<Refused>().answered);
}

TEST_F(ProposerTest, StopsAsSoonAsTheNewestStateOfAMajorityIsHeld) {
  Record held{.count = 1, .op = {"x"}};
  held.holders.push_back(Holder{.token = {1}, .client = {"other"}, .op = {"x"}});
  static_cast<void>(apply(durable[1], soft[1], BootId{"b"},
                          Accept{{.round = 3, .proposer = {9, 9}}, held, {}, false}));
  proposer.start_above(3);
  start(writing("a", Intent::acquire));
  phase({0, 1});
  EXPECT_TRUE(outcome<Refused>().answered);
}

// T14: a cloned process proposes another value under the same ballot.
TEST_F(ProposerTest, RaisesAnAlarmWhenItsIdentityIsInUseTwice) {
  start(writing("a"));
  phase({0, 1});
  ASSERT_FALSE(preparing());
  const auto ballot = ballot_sent();
  static_cast<void>(
      apply(durable[0], soft[0], BootId{"b"}, Accept{ballot, marked("twin"), {}, false}));
  phase({0});
  EXPECT_EQ(outcome<Alarm>().ballot, ballot);
}

TEST_F(ProposerTest, StartsAboveWhatAnEarlierProcessSaw) {
  proposer.start_above(70);
  start(writing("a"));
  EXPECT_EQ(ballot_sent().round, 71U);
}

TEST_F(ProposerTest, NeedsAMajorityOfAnEvenNumberToo) {
  Proposer four(4, Epoch{1}, kMe);
  const ProposerOutput output = four.start(writing("a"), {}, at(1));
  EXPECT_EQ(output.sends.size(), 4U);
  for (std::size_t server = 0; server < 2; ++server) {
    EXPECT_TRUE(four.on_reply(server, output.sends[server].attempt,
                              Answer{Verdict::promise, State{}}, at(2))
                    .sends.empty());
  }
  EXPECT_EQ(four.on_reply(2, output.sends[2].attempt, Answer{Verdict::promise, State{}}, at(2))
                .sends.size(),
            4U);
}

TEST_F(ProposerTest, SurvivesAnyVerdictInAnyPhase) {
  for (int verdict = 0; verdict <= static_cast<int>(Verdict::two_values); ++verdict) {
    for (const bool accepting : {false, true}) {
      Proposer fresh(kServers, Epoch{1}, kMe);
      ProposerOutput output = fresh.start(writing("a"), {}, at(1));
      if (accepting) {
        for (std::size_t server = 0; server < 2; ++server) {
          output = fresh.on_reply(server, fresh.last_attempt(), Answer{Verdict::promise, State{}},
                                  at(2));
        }
      }
      for (std::size_t server = 0; server < kServers; ++server) {
        static_cast<void>(fresh.on_reply(server, fresh.last_attempt(),
                                         Answer{static_cast<Verdict>(verdict), State{}}, at(2)));
      }
      static_cast<void>(fresh.abandon());
      EXPECT_TRUE(fresh.idle());
    }
  }
}

// The fast ballot.

struct FastProposer : ProposerTest {
  static Operation acquiring(const std::string& client, ProposerId id) {
    const AcquireSpec spec{.claim = {.client = {client}},
                           .op = {client + "1"},
                           .epoch = Epoch{1},
                           .terms = {},
                           .who = ""};
    Operation operation{.intent = Intent::acquire, .claim = spec.claim, .op = spec.op};
    operation.change = [spec](const Record& base, const auto&) { return acquire(base, spec); };
    operation.fast = Fast{{.claim = spec.claim, .proposer = id}, spec.op};
    return operation;
  }
  void start_fast() { start(acquiring("me", kMe)); }
  // Its fast vote, before this one's message arrives there.
  void rival_votes(std::size_t server, const std::string& client) {
    const Operation rival = acquiring(client, ProposerId{8, 8});
    static_cast<void>(apply(durable[server], soft[server], BootId{"b"}, *rival.fast));
  }
  [[nodiscard]] Intent intent_sent() const { return std::get<Prepare>(sends.at(0).request).intent; }
};

TEST_F(FastProposer, ChoosesInOneRoundFromAllThree) {
  start_fast();
  phase({0, 1});
  EXPECT_FALSE(done) << "a majority is no fast quorum";
  EXPECT_TRUE(proposer.waits_for_fast_quorum());
  phase({2});
  const auto& chosen = outcome<Chosen>();
  EXPECT_EQ(chosen.ballot.fast, 1U);
  EXPECT_EQ(chosen.sent, at(1));
  EXPECT_EQ(chosen.value.find(ClientId{"me"})->token, FencingToken{1});
  ASSERT_TRUE(chosen.sticky);
  EXPECT_EQ(chosen.sticky->ballot, (Ballot{.round = 1, .proposer = kMe}));
}

TEST_F(FastProposer, GoesOnClassicallyWhenAServerFails) {
  start_fast();
  phase({0, 1});
  fails(2);
  ASSERT_FALSE(done);
  EXPECT_TRUE(preparing());
  EXPECT_EQ(intent_sent(), Intent::acquire);
  phase({0, 1});
  phase({0, 1});
  EXPECT_EQ(outcome<Chosen>().value.find(ClientId{"me"})->token, FencingToken{1})
      << "the very grant of the fast ballot";
}

TEST_F(FastProposer, GoesOnClassicallyWhenNobodyAnswers) {
  start_fast();
  fails(0);
  fails(2);
  ASSERT_FALSE(done);
  EXPECT_TRUE(preparing());
}

TEST_F(FastProposer, GoesOnClassicallyWhenItHasWaitedLongEnough) {
  start_fast();
  phase({0, 1});
  take(proposer.settle_fast());
  EXPECT_TRUE(preparing());
  phase({2, 1});
  phase({2, 1});
  EXPECT_EQ(outcome<Chosen>().ballot.fast, 0U);
}

TEST_F(FastProposer, TellsThatARivalIsInTheWay) {
  rival_votes(1, "rival");
  start_fast();
  phase({0, 1});
  EXPECT_FALSE(done) << "the third may tell more";
  phase({2});
  EXPECT_TRUE(outcome<Refused>().held);
}

TEST_F(FastProposer, IsToldAtOnceThatTheLockIsHeld) {
  choose("a");
  for (auto& one : durable) {
    one.value->holders = {Holder{.token = {1}, .client = {"other"}, .op = {"o"}}};
  }
  start_fast();
  phase({0, 1});
  EXPECT_TRUE(outcome<Refused>().held);
  EXPECT_TRUE(outcome<Refused>().answered);
}

TEST_F(FastProposer, CountsNoVoteThatDoesNotListIt) {
  start_fast();
  const std::vector<Send> now = sends;
  for (const std::size_t server : {0U, 1U, 2U}) {
    State state = state_of(absent_record(Epoch{1}), {}, BootId{"b"});
    state.accepted.fast = 1;
    state.value = marked("liar");
    take(proposer.on_reply(server, now[server].attempt, Answer{Verdict::accepted, state}, at(2)));
  }
  EXPECT_FALSE(done && std::holds_alternative<Chosen>(*done));
}

}  // namespace
}  // namespace dexlock
