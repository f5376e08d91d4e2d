#include "register/promise_ceiling.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

const BootId kBoot{"b"};
constexpr std::uint32_t kRounds = 4;

Ballot ballot(std::uint32_t round, std::uint32_t proposer = 1) {
  return Ballot{1, round, {proposer, 7}, 0};
}

Record held_by(const std::string& client) {
  Record record{.count = 1, .op = {"op"}};
  record.holders.push_back(Holder{.token = {1}, .client = {client}, .op = {"op"}});
  return record;
}

class PromiseCeilingTest : public ::testing::Test {
 protected:
  CeilingStep ask(const Request& request) {
    return apply(synced_, soft_, kBoot, request, ceiling_);
  }
  CeilingStep prepare(std::uint32_t round, Intent intent = Intent::plain) {
    return ask(Prepare{.ballot = ballot(round), .intent = intent, .boots = {kBoot}});
  }
  [[nodiscard]] Ballot promised() const { return promised_in_effect(synced_, soft_, ceiling_); }
  void lose_the_soft_state() {
    soft_ = Soft{};
    ceiling_.lost = true;
  }

  Durable synced_ = absent_record(Epoch{1});
  Soft soft_;
  PromiseCeiling ceiling_{.rounds = kRounds};
};

TEST_F(PromiseCeilingTest, LeavesAPromiseUnsyncedAndKeepsItAllTheSame) {
  const CeilingStep step = prepare(3);
  EXPECT_EQ(step.verdict, Verdict::promise);
  EXPECT_FALSE(step.durable_changed);
  EXPECT_TRUE(step.soft_changed && step.unsynced);
  EXPECT_EQ(synced_, absent_record(Epoch{1}));
  EXPECT_EQ(promised(), ballot(3));
  EXPECT_EQ(state_of(synced_, soft_, kBoot, ceiling_).promised, ballot(3));
  EXPECT_EQ(prepare(3).verdict, Verdict::low);
  EXPECT_EQ(ask(Accept{.ballot = ballot(2), .value = held_by("a")}).verdict, Verdict::low);
  EXPECT_EQ(ask(Fast{}).verdict, Verdict::low);
  EXPECT_EQ(prepare(4).verdict, Verdict::promise);
}

TEST_F(PromiseCeilingTest, TheValueThatFollowsSyncsThePromiseWithIt) {
  prepare(3);
  const CeilingStep step =
      ask(Accept{.ballot = ballot(3), .value = held_by("a"), .next = ballot(4)});
  EXPECT_EQ(step.verdict, Verdict::accepted);
  EXPECT_TRUE(step.durable_changed);
  EXPECT_FALSE(step.unsynced);
  EXPECT_EQ(synced_.accepted, ballot(3));
  EXPECT_EQ(synced_.promised, ballot(4));
  EXPECT_FALSE(soft_.promised);
}

TEST_F(PromiseCeilingTest, SyncsAPromiseThatSetsAFence) {
  for (const Intent intent : {Intent::evict, Intent::force}) {
    const std::uint32_t round = promised().round + 1;
    const CeilingStep step = prepare(round, intent);
    EXPECT_EQ(step.verdict, Verdict::promise);
    EXPECT_TRUE(step.durable_changed);
    EXPECT_EQ(synced_.promised, ballot(round));
    EXPECT_EQ(synced_.fence, ballot(round));
  }
}

TEST_F(PromiseCeilingTest, CountsFromWhatIsSyncedNotFromWhatIsUnsynced) {
  EXPECT_TRUE(prepare(kRounds).unsynced);
  const CeilingStep above = prepare(kRounds + 1);
  EXPECT_EQ(above.verdict, Verdict::promise);
  EXPECT_TRUE(above.durable_changed);
  EXPECT_EQ(synced_.promised, ballot(kRounds + 1));
  EXPECT_TRUE(prepare(2 * kRounds + 1).unsynced);
  EXPECT_TRUE(prepare(2 * kRounds + 2).durable_changed);
}

TEST_F(PromiseCeilingTest, ARefusalOrAnythingElseChangesNoPromise) {
  prepare(2);
  EXPECT_EQ(prepare(1).verdict, Verdict::low);
  EXPECT_EQ(ask(Read{}).verdict, Verdict::state);
  EXPECT_TRUE(ask(Post{.ticket = {.claim = {.client = {"w"}}}}).soft_changed);
  EXPECT_EQ(soft_.promised, ballot(2));
  EXPECT_EQ(synced_.promised, absent_record(Epoch{1}).promised);
}

TEST_F(PromiseCeilingTest, AfterTheLossNothingUpToTheCeilingIsPromisedOrTaken) {
  ASSERT_EQ(
      ask(Accept{.ballot = ballot(1), .value = Record{.count = 1, .op = {"free"}}, .open = true})
          .verdict,
      Verdict::accepted);
  ASSERT_TRUE(prepare(3).unsynced);
  lose_the_soft_state();
  const Ballot ceiling = promised();
  EXPECT_EQ(ceiling, (Ballot{1, 1 + kRounds, {kRoundMax, kRoundMax}, 1}));
  EXPECT_EQ(state_of(synced_, soft_, kBoot, ceiling_).promised, ceiling);
  Ballot last = ceiling;
  last.fast = 0;
  for (const Ballot& below : {ballot(2), ballot(3), ballot(1 + kRounds), last}) {
    EXPECT_EQ(ask(Prepare{.ballot = below}).verdict, Verdict::low);
    EXPECT_EQ(ask(Accept{.ballot = below, .value = held_by("a")}).verdict, Verdict::low);
  }
  EXPECT_EQ(ask(Fast{.asker = {.claim = {.client = {"f"}}}, .op = {"f"}}).verdict, Verdict::low);
  EXPECT_TRUE(ceiling_.lost);
  EXPECT_EQ(synced_.promised, ballot(1));
}

TEST_F(PromiseCeilingTest, AnAbsentKeyHasItsCeilingToo) {
  lose_the_soft_state();
  EXPECT_EQ(promised().round, kRounds);
  EXPECT_EQ(ask(Fast{.asker = {.claim = {.client = {"f"}}}, .op = {"f"}}).verdict, Verdict::low);
}

TEST_F(PromiseCeilingTest, TheNextPromiseIsSyncedAndEndsTheLoss) {
  lose_the_soft_state();
  const CeilingStep step = prepare(kRounds + 1);
  EXPECT_EQ(step.verdict, Verdict::promise);
  EXPECT_TRUE(step.durable_changed);
  EXPECT_FALSE(ceiling_.lost);
  EXPECT_EQ(promised(), ballot(kRounds + 1));
  EXPECT_TRUE(prepare(kRounds + 2).unsynced);
}

TEST_F(PromiseCeilingTest, SoDoesAValueAboveTheCeiling) {
  lose_the_soft_state();
  EXPECT_EQ(ask(Accept{.ballot = ballot(kRounds + 1), .value = held_by("a")}).verdict,
            Verdict::accepted);
  EXPECT_FALSE(ceiling_.lost);
  EXPECT_EQ(promised(), ballot(kRounds + 1));
}

TEST_F(PromiseCeilingTest, AValueThatWasTakenBeforeTheLossIsStillAcknowledged) {
  const Accept accept{.ballot = ballot(1), .value = held_by("a")};
  ask(accept);
  lose_the_soft_state();
  EXPECT_EQ(ask(accept).verdict, Verdict::accepted);
  EXPECT_TRUE(ceiling_.lost);
}

TEST_F(PromiseCeilingTest, TheLastRoundHasNoneAboveIt) {
  synced_.promised = ballot(kRoundMax - 1);
  lose_the_soft_state();
  EXPECT_EQ(promised().round, kRoundMax);
}

}  // namespace
}  // namespace dexlock
