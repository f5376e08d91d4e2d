// Worlds in which groups are formed: nothing is found in the assembly as it is, and errors that are
// planted at its edges are.
#include "sim/forming_world.hpp"

#include <gtest/gtest.h>

#include "sim/campaign.hpp"

namespace dexlock::sim {
namespace {

constexpr MixLimits kForming{.only_forming = true};

TEST(FormingWorld, IsRunByEveryTenthSeed) {
  std::size_t forming = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    forming += is_forming_seed(seed, {}) ? 1U : 0U;
  }
  EXPECT_EQ(forming, 10U);
}

TEST(FormingWorld, GivesTheSameRunForTheSameSeed) {
  const RunReport first = run_seed(7, kForming, false);
  const RunReport again = run_seed(7, kForming, true);
  EXPECT_EQ(first.hash, again.hash);
  EXPECT_EQ(first.last_draw, again.last_draw);
  EXPECT_NE(first.hash, run_seed(8, kForming, false).hash);
}

TEST(FormingWorld, FindsNothingInAThousandSeeds) {
  Campaign campaign(kForming);
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    ASSERT_TRUE(campaign.run(seed))
        << "seed " << seed << ": " << campaign.finding()->judge << ": " << campaign.finding()->text;
  }
  for (const Seen what :
       {Seen::forming_runs, Seen::groups_active, Seen::stores_wiped, Seen::forming_refusals,
        Seen::forming_majorities, Seen::machine_crashes, Seen::kills}) {
    EXPECT_GT(campaign.counts().of(what), 0U) << kSeenNames[static_cast<std::size_t>(what)];
  }
}

TEST(FormingWorld, FormsOneGroupAtOnceWithoutFaults) {
  Campaign campaign({.calm = true, .only_forming = true});
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    ASSERT_TRUE(campaign.run(seed)) << "seed " << seed << ": " << campaign.finding()->text;
  }
  EXPECT_GT(campaign.counts().of(Seen::groups_active), 0U);
}

// A client that had greeted two servers before the others formed the group was never served.
TEST(FormingWorld, FindsNothingInTheSeedThatOnceFailed) {
  const RunReport report = run_seed(6, kForming, false);
  EXPECT_FALSE(report.finding) << report.finding->text;
}

class PlantedInForming : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(PlantedInForming, ErrorIsCaughtByTheJudgeOfItsRule) {
  const auto [name, judge] = GetParam();
  const auto plant = plant_named(name);
  ASSERT_TRUE(plant);
  PlantTrial trial;
  for (std::uint64_t seed = 1; seed <= 300 && !trial.caught; ++seed) {
    try_plant(*plant, seed, trial);
  }
  ASSERT_TRUE(trial.caught);
  EXPECT_EQ(trial.caught->judge, judge);
}

INSTANTIATE_TEST_SUITE_P(Each, PlantedInForming,
                         testing::Values(std::pair{"group-activated-unseen", "groups"},
                                         std::pair{"vote-while-proposed", "votes"},
                                         std::pair{"incarnation-ignored", "groups"},
                                         std::pair{"wiped-member-votes", "votes"},
                                         std::pair{"proposal-replaced", "groups"},
                                         std::pair{"group-memory-ignored", "memory"}));

TEST(FormingJudge, RefusesTwoActiveGroupsThatShareAStore) {
  Findings findings;
  FormingJudge judge(findings);
  const Group first{"g1", Epoch{1}, {"a", "b"}};
  const Group second{"g2", Epoch{1}, {"b", "c"}};
  judge.on_store(0, "a");
  judge.on_store(1, "b");
  judge.on_store(2, "c");
  judge.on_proposal(0, first, Nanoseconds(1));
  judge.on_proposal(1, first, Nanoseconds(2));
  judge.on_active(0, first, Nanoseconds(3));
  judge.on_proposal(2, second, Nanoseconds(4));
  ASSERT_FALSE(findings.first());
  judge.on_active(2, second, Nanoseconds(5));
  ASSERT_TRUE(findings.first());
  EXPECT_EQ(findings.first()->judge, "groups");
}

TEST(FormingJudge, RefusesAGroupAnewWhereMembersOfTheEarlierOneAreLeft) {
  Findings findings;
  FormingJudge judge(findings);
  const Group first{"g1", Epoch{1}, {"a", "b"}};
  const Group second{"g2", Epoch{1}, {"c", "d"}};
  judge.on_store(0, "a");
  judge.on_store(1, "b");
  for (const std::size_t server : {0U, 1U}) {
    judge.on_proposal(server, first, Nanoseconds(1));
  }
  judge.on_active(0, first, Nanoseconds(2));
  judge.on_vote(0, "g1", Nanoseconds(2));
  judge.on_store(0, "c");
  judge.on_store(1, "d");
  for (const std::size_t server : {0U, 1U}) {
    judge.on_proposal(server, second, Nanoseconds(3));
  }
  judge.on_active(0, second, Nanoseconds(4));
  EXPECT_FALSE(findings.first());  // both were wiped
  judge.on_vote(1, "g2", Nanoseconds(5));
  ASSERT_TRUE(findings.first());  // which was only proposed for it
  EXPECT_EQ(findings.first()->judge, "votes");
}

}  // namespace
}  // namespace dexlock::sim
