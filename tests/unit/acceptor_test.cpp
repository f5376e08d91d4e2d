#include "register/acceptor.hpp"

#include <gtest/gtest.h>

#include "lock/random.hpp"

namespace dexlock {
namespace {

constexpr Ballot ballot(std::uint32_t round, std::uint32_t who = 1) {
  return Ballot{.round = round, .proposer = {who, who}};
}

Record held(std::uint64_t token, const std::string& client) {
  return Record{.count = token,
                .op = {"op" + std::to_string(token)},
                .holders = {Holder{.token = {token}, .client = {client}, .op = {"op"}}}};
}

const BootId kBoot{"boot1"};

struct AcceptorTest : testing::Test {
  Durable durable = absent_record(Epoch{1});
  Soft soft;
  BootId boot = kBoot;

  Verdict ask(const Request& request) { return apply(durable, soft, boot, request).verdict; }

  static Prepare prepare(std::uint32_t round, Intent intent = Intent::plain,
                         std::uint32_t who = 1) {
    return Prepare{.ballot = ballot(round, who), .intent = intent, .claim = {.client = {"me"}}};
  }
  static Prepare evict(std::uint32_t round, std::uint64_t victim, std::uint32_t beat) {
    Prepare request = prepare(round, Intent::evict, 9);
    request.victim = {victim};
    request.beat = beat;
    request.boots = {kBoot};
    return request;
  }
  static Heartbeat beat(std::uint64_t token, std::uint32_t number, std::uint32_t granted) {
    return Heartbeat{{token}, number, ballot(granted)};
  }
  void restart() {
    soft = Soft{};
    boot = BootId{"boot2"};
  }
};

TEST_F(AcceptorTest, PromisesOnlyUpwards) {
  EXPECT_EQ(ask(prepare(5)), Verdict::promise);
  EXPECT_EQ(ask(prepare(5)), Verdict::low) << "the same ballot twice";
  EXPECT_EQ(ask(prepare(4)), Verdict::low);
  EXPECT_EQ(ask(prepare(5, Intent::plain, 2)), Verdict::promise);
  EXPECT_EQ(durable.promised, ballot(5, 2));
}

// The mutant "accept does not raise the promise" chooses two values within 14 steps (protocol 10).
TEST_F(AcceptorTest, AcceptingRaisesThePromise) {
  EXPECT_EQ(ask(Accept{ballot(7), held(1, "a"), {}, false}), Verdict::accepted);
  EXPECT_EQ(durable.promised, ballot(7));
  EXPECT_EQ(ask(prepare(6)), Verdict::low);
  EXPECT_EQ(ask(Accept{ballot(6), held(1, "b"), {}, false}), Verdict::low);
}

TEST_F(AcceptorTest, AcceptsNothingBelowItsPromise) {
  ask(prepare(8));
  EXPECT_EQ(ask(Accept{ballot(7), held(1, "a"), {}, false}), Verdict::low);
  EXPECT_EQ(durable.accepted, zero_ballot(Epoch{1}));
}

TEST_F(AcceptorTest, AcceptsARepeatedMessageOnce) {
  const Accept accept{ballot(7), held(1, "a"), ballot(8), false};
  EXPECT_EQ(ask(accept), Verdict::accepted);
  const Step step = apply(durable, soft, boot, accept);
  EXPECT_EQ(step.verdict, Verdict::accepted);
  EXPECT_FALSE(step.durable_changed) << "nothing to sync again";
}

// T8, T14: somebody else uses this proposer's identity.
TEST_F(AcceptorTest, RaisesAnAlarmForTwoValuesAtOneBallot) {
  ask(Accept{ballot(7), held(1, "a"), {}, false});
  EXPECT_EQ(ask(Accept{ballot(7), held(1, "b"), {}, false}), Verdict::two_values);
  EXPECT_EQ(durable.value, held(1, "a"));
}

TEST_F(AcceptorTest, TakesTheStickyPromiseWithTheValue) {
  EXPECT_EQ(ask(Accept{ballot(7), held(1, "a"), ballot(8), false}), Verdict::accepted);
  EXPECT_EQ(durable.promised, ballot(8));
  EXPECT_EQ(ask(prepare(8)), Verdict::low);
  EXPECT_EQ(ask(prepare(8, Intent::plain, 2)), Verdict::promise) << "a higher one still kills it";
  EXPECT_EQ(ask(Accept{ballot(8), Record{}, {}, false}), Verdict::low);
}

// T32, T16: a sticky promise must not be a way around the limits on ballots.
TEST_F(AcceptorTest, IsNotMovedOutOfItsEpochOrFarUpByAStickyPromise) {
  Ballot next = ballot(8);
  next.epoch = 2;
  ask(Accept{ballot(7), held(1, "a"), next, false});
  EXPECT_EQ(durable.promised.epoch, 1U);
  ask(Accept{ballot(9), held(1, "a"), ballot(kRoundMax), false});
  EXPECT_LE(durable.promised.round, 9 + kRoundStepMax);
}

// T32: one broken client cannot use up the rounds; a server that was down catches up by accepting.
TEST_F(AcceptorTest, CapsTheStepOfAPrepareButNotOfAnAccept) {
  EXPECT_EQ(ask(prepare(kRoundStepMax + 1)), Verdict::far);
  EXPECT_EQ(ask(prepare(kRoundStepMax)), Verdict::promise);
  EXPECT_EQ(ask(Accept{ballot(10 * kRoundStepMax), held(1, "a"), {}, false}), Verdict::accepted);
}

// T16, protocol 7.3: ballots of another epoch are refused, above and below.
TEST_F(AcceptorTest, RefusesBallotsOfAnotherEpoch) {
  Prepare request = prepare(5);
  request.ballot.epoch = 2;
  EXPECT_EQ(ask(request), Verdict::low);
  Accept accept{ballot(5), Record{}, {}, false};
  accept.ballot.epoch = 2;
  EXPECT_EQ(ask(accept), Verdict::low);
  durable = absent_record(Epoch{2});
  EXPECT_EQ(ask(prepare(5)), Verdict::low);
}

// T10: a classic prepare cannot take the place of a fast ballot.
TEST_F(AcceptorTest, PromisesNoFastBallot) {
  Prepare request = prepare(5);
  request.ballot.fast = 1;
  EXPECT_EQ(ask(request), Verdict::low);
}

TEST_F(AcceptorTest, IsOpenToAFastBallotOnlyAfterAFreeValueWithoutStickyPromise) {
  EXPECT_TRUE(durable.open);
  ask(Accept{ballot(1), held(1, "a"), {}, true});
  EXPECT_FALSE(durable.open) << "held";
  ask(Accept{ballot(2), Record{}, ballot(3), true});
  EXPECT_FALSE(durable.open) << "promised already";
  ask(Accept{ballot(4), Record{}, {}, true});
  EXPECT_TRUE(durable.open);
  ask(Accept{ballot(5), Record{}, {}, false});
  EXPECT_FALSE(durable.open);
}

// Protocol 5.4: a live holder's ballots are never disturbed by who wants the lock.
TEST_F(AcceptorTest, RefusesToPromiseAHeldLockToWhoWantsIt) {
  ask(Accept{ballot(1), held(1, "a"), ballot(2), false});
  EXPECT_EQ(ask(prepare(5, Intent::acquire)), Verdict::held);
  EXPECT_EQ(durable.promised, ballot(2)) << "the sticky promise is untouched";
  EXPECT_EQ(ask(prepare(5, Intent::plain)), Verdict::promise);
}

TEST_F(AcceptorTest, PromisesItToItsOwnHolder) {
  ask(Accept{ballot(1), held(1, "me"), {}, false});
  EXPECT_EQ(ask(prepare(5, Intent::acquire)), Verdict::promise);
}

TEST_F(AcceptorTest, RecordsHeartbeatsInMemoryOnly) {
  ask(Accept{ballot(1), held(1, "a"), {}, false});
  const Durable before = durable;
  EXPECT_EQ(ask(beat(1, 4, 1)), Verdict::beating);
  EXPECT_EQ(ask(beat(1, 3, 1)), Verdict::beating) << "late";
  EXPECT_EQ(soft.beats.at({1}), 4U);
  EXPECT_EQ(durable, before);
  EXPECT_FALSE(apply(durable, soft, boot, beat(1, 4, 1)).soft_changed);
}

TEST_F(AcceptorTest, TellsAHolderThatIsGone) {
  ask(Accept{ballot(1), held(1, "a"), {}, false});
  ask(Accept{ballot(2), Record{.count = 1}, {}, false});
  EXPECT_EQ(ask(beat(1, 5, 1)), Verdict::gone);
}

// S10: a server that has not accepted the grant must not acknowledge what it would forget.
TEST_F(AcceptorTest, AsksForTheGrantBeforeItTakesAHeartbeatForIt) {
  EXPECT_EQ(ask(beat(1, 5, 1)), Verdict::behind);
  EXPECT_TRUE(soft.beats.empty());
  ask(Accept{ballot(1), held(1, "a"), {}, false});
  EXPECT_EQ(ask(beat(1, 5, 1)), Verdict::beating);
}

TEST_F(AcceptorTest, PromisesAnEvictionOnlyWithoutASignOfLifeBeyondTheEvidence) {
  ask(Accept{ballot(1), held(1, "a"), {}, false});
  ask(beat(1, 5, 1));
  EXPECT_EQ(ask(evict(2, 1, 4)), Verdict::alive);
  EXPECT_EQ(durable.fence, zero_ballot(Epoch{1}));
  EXPECT_EQ(ask(evict(2, 1, 5)), Verdict::promise);
  EXPECT_EQ(durable.fence, ballot(2, 9));
}

// T7: after a restart it cannot know what it had acknowledged.
TEST_F(AcceptorTest, VouchesForNothingUnderABootIdTheEvictorHasNotSeen) {
  ask(Accept{ballot(1), held(1, "a"), {}, false});
  ask(beat(1, 5, 1));
  restart();
  EXPECT_EQ(ask(evict(2, 1, 9)), Verdict::alive);
  Prepare seen = evict(2, 1, 9);
  seen.boots.push_back(boot);
  EXPECT_EQ(ask(seen), Verdict::promise);
}

TEST_F(AcceptorTest, RefusesHeartbeatsBehindTheFence) {
  ask(Accept{ballot(1), held(1, "a"), {}, false});
  ask(evict(2, 1, 0));
  EXPECT_EQ(ask(beat(1, 6, 1)), Verdict::fenced);
  EXPECT_TRUE(soft.beats.empty());
}

// T6: the fence is as durable as the promise.
TEST_F(AcceptorTest, KeepsTheFenceOverARestart) {
  ask(Accept{ballot(1), held(1, "a"), {}, false});
  const Step step = apply(durable, soft, boot, evict(2, 1, 0));
  EXPECT_TRUE(step.durable_changed);
  restart();
  EXPECT_EQ(ask(beat(1, 6, 1)), Verdict::fenced);
}

TEST_F(AcceptorTest, LiftsTheFenceByAcceptingAboveIt) {
  ask(Accept{ballot(1), held(1, "a"), {}, false});
  ask(evict(2, 1, 0));
  ask(Accept{ballot(3), held(1, "a"), {}, false});
  EXPECT_EQ(ask(beat(1, 6, 3)), Verdict::beating);
}

TEST_F(AcceptorTest, FencesAForcedEvictionWithoutAskingForProof) {
  ask(Accept{ballot(1), held(1, "a"), {}, false});
  ask(beat(1, 5, 1));
  EXPECT_EQ(ask(prepare(2, Intent::force)), Verdict::promise);
  EXPECT_EQ(durable.fence, ballot(2));
  EXPECT_EQ(ask(beat(1, 6, 1)), Verdict::fenced);
}

// S10: a removal accepted here only is superseded by a value that lists the token again; what was
// acknowledged before must still be known.
TEST_F(AcceptorTest, RemembersHeartbeatsOverARemovalThatIsUndone) {
  ask(Accept{ballot(1), held(1, "a"), {}, false});
  ask(beat(1, 5, 1));
  ask(Accept{ballot(2), Record{.count = 1}, {}, false});
  ask(Accept{ballot(3), held(1, "a"), {}, false});
  EXPECT_EQ(ask(evict(4, 1, 4)), Verdict::alive);
  EXPECT_EQ(ask(evict(4, 1, 5)), Verdict::promise);
}

// T32, S10: what is kept of past holders is bounded; what is listed is never forgotten.
TEST_F(AcceptorTest, ForgetsTheOldestPastHeartbeatsOnly) {
  for (std::uint32_t token = 1; token <= 100; ++token) {
    ask(Accept{ballot(2 * token), held(token, "a"), {}, false});
    EXPECT_EQ(ask(beat(token, token, 2 * token)), Verdict::beating);
    EXPECT_LE(soft.beats.size(), kPastBeatsMax + 1);
  }
  EXPECT_TRUE(soft.beats.contains({100}));
  EXPECT_TRUE(soft.beats.contains({100 - kPastBeatsMax}));
  EXPECT_FALSE(soft.beats.contains({1}));
}

TEST_F(AcceptorTest, NeverForgetsTheHeartbeatOfAHolderAmongManyPastOnes) {
  Record record = held(1, "old");
  record.holders[0].mode = Mode::shared;
  ask(Accept{ballot(1), record, {}, false});
  ask(beat(1, 1, 1));
  for (std::uint32_t token = 2; token <= 60; ++token) {
    Record both = record;
    both.count = token;
    both.holders.push_back(held(token, "young").holders[0]);
    both.holders[1].mode = Mode::shared;
    ask(Accept{ballot(token), both, {}, false});
    EXPECT_EQ(ask(beat(token, 1, token)), Verdict::beating);
  }
  EXPECT_TRUE(soft.beats.contains({1}));
}

// T18: who only looks disturbs nothing.
TEST_F(AcceptorTest, IsNotChangedByAReader) {
  ask(Accept{ballot(1), held(1, "a"), ballot(2), false});
  const Durable before = durable;
  for (const bool votes : {false, true}) {
    const Step step = apply(durable, soft, boot, Read{votes});
    EXPECT_EQ(step.verdict, Verdict::state);
    EXPECT_FALSE(step.durable_changed || step.soft_changed);
  }
  EXPECT_EQ(durable, before);
}

TEST_F(AcceptorTest, KeepsTheNewestRefreshOfEachTicketAndGrantsNothingByIt) {
  const auto post = [&](const std::string& client, std::uint32_t refresh, bool remove = false) {
    return apply(durable, soft, boot,
                 Post{Ticket{.claim = {.client = {client}}, .refresh = refresh}, remove});
  };
  const Durable before = durable;
  EXPECT_TRUE(post("a", 5).soft_changed);
  EXPECT_FALSE(post("a", 4).soft_changed) << "late";
  EXPECT_TRUE(post("a", 6).soft_changed);
  ASSERT_EQ(soft.tickets.size(), 1U);
  EXPECT_EQ(soft.tickets[0].refresh, 6U);
  EXPECT_FALSE(post("a", 5, true).soft_changed);
  EXPECT_TRUE(post("a", 6, true).soft_changed);
  EXPECT_TRUE(soft.tickets.empty());
  EXPECT_EQ(durable, before);
}

// T32.
TEST_F(AcceptorTest, IsNotFloodedByTickets) {
  for (int i = 0; i < 1000; ++i) {
    ask(Post{Ticket{.claim = {.client = {"c" + std::to_string(i)}}}, false});
  }
  EXPECT_EQ(soft.tickets.size(), kTicketsPerReplyMax);
}

TEST_F(AcceptorTest, ShowsAllItKnows) {
  ask(Accept{ballot(1), held(1, "a"), ballot(2), false});
  ask(beat(1, 5, 1));
  const State state = state_of(durable, soft, boot);
  EXPECT_EQ(state.promised, ballot(2));
  EXPECT_EQ(state.accepted, ballot(1));
  EXPECT_EQ(state.value, held(1, "a"));
  EXPECT_EQ(state.beats.at({1}), 5U);
  EXPECT_EQ(state.boot, kBoot);
}

// Whatever is asked: promised never goes down, accepted <= promised, one ballot has one value, and
// a step that says "unchanged" changed nothing.
TEST_F(AcceptorTest, KeepsItsInvariantsUnderAnything) {
  Random random(17);
  std::map<Ballot, std::optional<Record>> values;
  for (int round = 0; round < 30'000; ++round) {
    const auto b = ballot(1 + static_cast<std::uint32_t>(random.below(30)),
                          1 + static_cast<std::uint32_t>(random.below(3)));
    const auto token = 1 + random.below(3);
    Request request = Read{};
    switch (random.below(4)) {
      case 0: {
        Prepare p = evict(1, token, static_cast<std::uint32_t>(random.below(5)));
        p.ballot = b;
        p.intent = static_cast<Intent>(random.below(4));
        request = p;
        break;
      }
      case 1: {
        const Record value = random.below(3) == 0 ? Record{} : held(token, "a");
        Accept accept{b, value, {}, random.below(2) == 0};
        if (random.below(2) == 0) {
          accept.next = Ballot{1, b.round + 1, b.proposer, 0};
        }
        request = accept;
        break;
      }
      case 2:
        request = Heartbeat{{token}, static_cast<std::uint32_t>(random.below(9)), b};
        break;
      default:
        if (random.below(200) == 0) {
          durable = absent_record(Epoch{1});
          values.clear();
        }
    }
    const Durable before = durable;
    const Step step = apply(durable, soft, boot, request);
    ASSERT_GE(durable.promised, before.promised);
    ASSERT_GE(durable.fence, before.fence);
    ASSERT_LE(durable.accepted, durable.promised);
    ASSERT_LE(durable.fence, durable.promised);
    ASSERT_TRUE(step.durable_changed || durable == before);
    const auto [at, fresh] = values.try_emplace(durable.accepted, durable.value);
    ASSERT_TRUE(fresh || at->second == durable.value);
  }
}

// The fast ballot.

struct FastVote : AcceptorTest {
  static Fast fast(const std::string& client, const std::string& op) {
    return Fast{{.claim = {.client = {client}}, .proposer = {3, 3}, .who = client}, {op}};
  }
  void release_open(std::uint32_t round) {
    ASSERT_EQ(ask(Accept{ballot(round), Record{.count = 4, .op = {"r"}}, {}, true}),
              Verdict::accepted);
  }
};

TEST_F(FastVote, GrantsAnAbsentLockAtTheChildOfZero) {
  EXPECT_EQ(ask(fast("a", "a1")), Verdict::accepted);
  Ballot child = zero_ballot(Epoch{1});
  child.fast = 1;
  EXPECT_EQ(durable.accepted, child);
  EXPECT_EQ(durable.promised, (Ballot{.round = 1, .proposer = {3, 3}})) << "its own next ballot";
  ASSERT_EQ(durable.value->holders.size(), 1U);
  EXPECT_EQ(durable.value->holders[0].token, FencingToken{1});
  EXPECT_EQ(durable.value->holders[0].op, OpId{"a1"});
}

TEST_F(FastVote, GrantsWhatWasReleasedOpen) {
  release_open(7);
  EXPECT_EQ(ask(fast("a", "a1")), Verdict::accepted);
  EXPECT_EQ(durable.accepted.round, 7U);
  EXPECT_EQ(durable.accepted.fast, 1U);
  EXPECT_EQ(durable.value->find(ClientId{"a"})->token, FencingToken{5});
}

TEST_F(FastVote, IsGivenOnceAtOneBallot) {
  EXPECT_EQ(ask(fast("a", "a1")), Verdict::accepted);
  const Durable before = durable;
  EXPECT_EQ(ask(fast("b", "b1")), Verdict::held);
  EXPECT_EQ(ask(fast("a", "a2")), Verdict::low) << "another operation of the same client";
  const Step again = apply(durable, soft, boot, fast("a", "a1"));
  EXPECT_EQ(again.verdict, Verdict::accepted);
  EXPECT_FALSE(again.durable_changed);
  EXPECT_EQ(durable, before);
}

TEST_F(FastVote, IsRefusedWhereAHigherBallotIsPromised) {
  ask(prepare(1));
  const Durable before = durable;
  EXPECT_EQ(ask(fast("a", "a1")), Verdict::low);
  EXPECT_EQ(durable, before);
}

TEST_F(FastVote, IsRefusedWhereTheLockIsNotOpen) {
  ask(Accept{ballot(7), Record{.count = 4, .op = {"r"}}, ballot(8), true});
  EXPECT_EQ(ask(fast("a", "a1")), Verdict::low) << "promised to who released it";
  ask(Accept{ballot(9), Record{.count = 4, .op = {"r"}}, {}, false});
  EXPECT_EQ(ask(fast("a", "a1")), Verdict::low);
  Record gated{.count = 4, .op = {"g"}};
  gated.gate.state = GateState::hold;
  ask(Accept{ballot(10), gated, {}, true});
  EXPECT_EQ(ask(fast("a", "a1")), Verdict::low) << "the gate";
}

TEST_F(FastVote, IsRefusedWhereAnotherEpochsValueWasCopied) {
  release_open(7);
  durable.copied = true;
  EXPECT_EQ(ask(fast("a", "a1")), Verdict::low);
}

TEST_F(FastVote, IsRefusedToWhoeverComesBeforeThoseInLine) {
  release_open(7);
  ask(Post{Ticket{.number = 1, .claim = {.client = {"w"}}}, false});
  EXPECT_EQ(ask(fast("a", "a1")), Verdict::low);
  EXPECT_EQ(ask(fast("w", "w1")), Verdict::accepted);
}

TEST_F(FastVote, IsRefusedToAMessageThatComesAfterTheRelease) {
  Record released{.count = 5, .op = {"r"}};
  released.last = Departed{.token = {5}, .client = {"a"}};
  ask(Accept{ballot(7), released, {}, true});
  EXPECT_EQ(ask(fast("a", "a1")), Verdict::low);
  Fast later = fast("a", "a2");
  later.asker.number = 5;
  EXPECT_EQ(ask(later), Verdict::accepted);
}

TEST_F(FastVote, IsNeverReplacedByAnAcceptAtItsBallot) {
  ask(fast("a", "a1"));
  const Durable before = durable;
  EXPECT_EQ(ask(Accept{durable.accepted, held(1, "b"), {}, false}), Verdict::low);
  EXPECT_EQ(durable, before);
}

}  // namespace
}  // namespace dexlock
