// The simulator with an etcd cluster in place of lock servers: it finds nothing in the core as it
// is, and notices errors that are planted.
#include <gtest/gtest.h>

#include <set>

#include "sim/campaign.hpp"

namespace dexlock::sim {
namespace {

TEST(SimulatedEtcd, GivesTheSameRunForTheSameSeed) {
  const RunReport first = run_seed(7, {.etcd = true}, false);
  const RunReport again = run_seed(7, {.etcd = true}, true);
  EXPECT_EQ(first.hash, again.hash);
  EXPECT_EQ(first.last_draw, again.last_draw);
  EXPECT_NE(first.hash, run_seed(8, {.etcd = true}, false).hash);
}

TEST(SimulatedEtcd, FindsNothingInAHundredSeeds) {
  Campaign campaign({.etcd = true});
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    ASSERT_TRUE(campaign.run(seed))
        << "seed " << seed << ": " << campaign.finding()->judge << ": " << campaign.finding()->text;
  }
  EXPECT_EQ(campaign.counts().of(Seen::check_gave_up), 0U);
  for (const Seen what : {Seen::told_chosen,   Seen::grants,          Seen::renewals,
                          Seen::evictions,     Seen::losses,          Seen::fast_chosen,
                          Seen::inherited,     Seen::beats_gone,      Seen::machine_crashes,
                          Seen::pushes,        Seen::writes_failed,   Seen::packages_started,
                          Seen::etcd_changes,  Seen::etcd_races_lost, Seen::etcd_unanswered,
                          Seen::etcd_late,     Seen::etcd_elections,  Seen::etcd_keys_expired,
                          Seen::etcd_restores, Seen::etcd_refusals,   Seen::etcd_streams_lost}) {
    EXPECT_GT(campaign.counts().of(what), 0U) << kSeenNames[static_cast<std::size_t>(what)];
  }
}

TEST(SimulatedEtcd, FormsNoGroupsAndDrawsClustersOfAllSizes) {
  std::set<std::size_t> members;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    EXPECT_TRUE(seed_text(seed, {.etcd = true}).starts_with("servers=etcd members="));
    members.insert(draw_mix(seed, {.etcd = true}).members);
  }
  EXPECT_EQ(members, (std::set<std::size_t>{1, 3, 5}));
}

// Each was a fault of what is above etcd: the seeds that showed it.
TEST(SimulatedEtcd, FindsNothingInTheSeedsThatOnceFailed) {
  for (const std::uint64_t seed : {10U, 39U, 80U, 100384U, 200324U, 300765U}) {
    const RunReport report = run_seed(seed, {.etcd = true}, false);
    EXPECT_FALSE(report.finding) << "seed " << seed << ": " << report.finding->text;
  }
}

class PlantedWithEtcd : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(PlantedWithEtcd, ErrorIsCaughtByTheJudgeOfItsRule) {
  const auto [name, judge] = GetParam();
  const auto plant = plant_named(name);
  ASSERT_TRUE(plant);
  ASSERT_TRUE(fits_etcd(*plant));
  std::optional<Finding> caught;
  for (std::uint64_t seed = 1; seed <= 300 && !caught; ++seed) {
    caught = run_seed(seed, {.etcd = true, .plant = *plant}, false).finding;
  }
  ASSERT_TRUE(caught);
  EXPECT_EQ(caught->judge, judge);
}

INSTANTIATE_TEST_SUITE_P(OfEtcd, PlantedWithEtcd,
                         testing::Values(std::pair{"etcd-beat-unguarded", "evictions"},
                                         std::pair{"etcd-beat-goes-back", "evictions"},
                                         std::pair{"etcd-evict-unguarded", "evictions"},
                                         std::pair{"etcd-record-unguarded", "ballots"},
                                         std::pair{"etcd-fast-unguarded", "queue"},
                                         std::pair{"etcd-lost-taken-for-done", "releases"},
                                         std::pair{"etcd-sent-again", "ballots"},
                                         std::pair{"etcd-count-begins-anew", "chain"},
                                         std::pair{"etcd-restored-served", "restored"}));

INSTANTIATE_TEST_SUITE_P(OfClients, PlantedWithEtcd,
                         testing::Values(std::pair{"observed-from-sending", "evictions"},
                                         std::pair{"belief-until-released", "holds"},
                                         std::pair{"proposer-id-kept", "ballots"},
                                         std::pair{"claim-never-claimed", "holds"},
                                         std::pair{"ticket-taken-for-grant", "holds"},
                                         std::pair{"release-asks-nobody", "queue"}));

}  // namespace
}  // namespace dexlock::sim
