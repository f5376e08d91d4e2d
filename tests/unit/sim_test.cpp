// The simulator itself: it repeats itself, finds nothing in the core as it is, and notices errors
// that are planted.
#include <gtest/gtest.h>

#include <set>

#include "sim/campaign.hpp"

namespace dexlock::sim {
namespace {

TEST(Simulator, GivesTheSameRunForTheSameSeed) {
  const RunReport first = run_seed(7, {}, false);
  const RunReport again = run_seed(7, {}, false);
  EXPECT_EQ(first.hash, again.hash);
  EXPECT_EQ(first.last_draw, again.last_draw);
  EXPECT_NE(first.hash, run_seed(8, {}, false).hash);
}

TEST(Simulator, GivesTheSameRunWithAndWithoutATrace) {
  const RunReport silent = run_seed(9, {}, false);
  const RunReport traced = run_seed(9, {}, true);
  EXPECT_EQ(silent.hash, traced.hash);
  EXPECT_TRUE(silent.trace.empty());
  EXPECT_FALSE(traced.trace.empty());
}

TEST(Simulator, FindsNothingInTwoHundredSeeds) {
  Campaign campaign({});
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    ASSERT_TRUE(campaign.run(seed))
        << "seed " << seed << ": " << campaign.finding()->judge << ": " << campaign.finding()->text;
  }
  EXPECT_EQ(campaign.counts().of(Seen::check_gave_up), 0U);
  for (const Seen what :
       {Seen::told_chosen, Seen::grants, Seen::renewals, Seen::evictions, Seen::losses,
        Seen::beats_fenced, Seen::beats_behind, Seen::machine_crashes, Seen::pauses, Seen::suspends,
        Seen::reboots, Seen::files_torn, Seen::promises_unsynced, Seen::promises_lost}) {
    EXPECT_GT(campaign.counts().of(what), 0U) << kSeenNames[static_cast<std::size_t>(what)];
  }
}

// Each was a fault of the core: the seeds that showed it.
TEST(Simulator, DrawsClustersOfAllSizes) {
  std::set<std::size_t> servers;
  std::set<std::size_t> clients;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    servers.insert(draw_mix(seed, {}).servers);
    clients.insert(draw_mix(seed, {}).clients);
  }
  EXPECT_EQ(servers, (std::set<std::size_t>{1, 3, 5, 7}));
  EXPECT_EQ(*clients.rbegin(), 20U);
}

TEST(Simulator, FindsNothingWhereRecordsAreTorn) {
  Counts counts;
  for (const std::uint64_t seed : {3U, 24U, 35U, 44U, 105U}) {
    const RunReport report = run_seed(seed, {.servers = 3}, false);
    EXPECT_FALSE(report.finding) << "seed " << seed << ": " << report.finding->text;
    counts.add_all(report.counts);
  }
  EXPECT_GT(counts.of(Seen::records_torn), 0U);
}

TEST(Simulator, FindsNothingInTheSeedsThatOnceFailed) {
  for (const std::uint64_t seed :
       {3U,       24U,       405U,     803U,      24588U,    1000032U,  1007424U,
        1008423U, 1021200U,  1023401U, 2015703U,  2069232U,  4002864U,  6027485U,
        8009888U, 13015294U, 20855U,   30004385U, 40000120U, 51018304U, 61031942U}) {
    const RunReport report = run_seed(seed, {}, false);
    EXPECT_FALSE(report.finding) << "seed " << seed << ": " << report.finding->text;
  }
}

TEST(Simulator, LetsTokensRiseEvenWithClocksBeyondTheBound) {
  Campaign campaign({.unbounded_clocks = true});
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    ASSERT_TRUE(campaign.run(seed)) << "seed " << seed << ": " << campaign.finding()->text;
  }
  EXPECT_GT(campaign.counts().of(Seen::overlaps), 0U);
  EXPECT_GT(campaign.counts().of(Seen::clock_jumps), 0U);
}

class Planted : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Planted, ErrorIsCaughtByTheJudgeOfItsRule) {
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

INSTANTIATE_TEST_SUITE_P(Each, Planted,
                         testing::Values(std::pair{"belief-until-released", "holds"},
                                         std::pair{"evict-unchecked", "evictions"},
                                         std::pair{"failed-write-acknowledged", "chain"},
                                         std::pair{"proposer-id-kept", "ballots"},
                                         std::pair{"torn-record-blank", "ballots"},
                                         std::pair{"lost-promises-forgotten", "ballots"},
                                         std::pair{"evict-promise-unsynced", "ballots"},
                                         std::pair{"saved-after-sending", "releases"},
                                         std::pair{"release-asks-nobody", "queue"}));

class PlantedInTheRegister : public testing::TestWithParam<const char*> {};

TEST_P(PlantedInTheRegister, ErrorIsCaughtByWhatClientsAreToldAlone) {
  const auto plant = plant_named(GetParam());
  ASSERT_TRUE(plant);
  PlantTrial trial;
  for (std::uint64_t seed = 1; seed <= 300 && !trial.caught; ++seed) {
    try_plant(*plant, seed, trial, "linearizable");
  }
  ASSERT_TRUE(trial.caught);
  EXPECT_EQ(trial.caught->judge, "linearizable");
}

INSTANTIATE_TEST_SUITE_P(Each, PlantedInTheRegister,
                         testing::Values("sync-skipped", "failed-write-acknowledged",
                                         "server-wiped", "server-rolled-back",
                                         "majority-off-by-one", "ack-counted-twice",
                                         "lost-promises-forgotten"));

}  // namespace
}  // namespace dexlock::sim
