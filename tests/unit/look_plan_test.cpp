#include "package/look_plan.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

using namespace std::chrono_literals;
using Indices = std::vector<std::size_t>;

Resource looked_at_every(Nanoseconds interval, const std::string& name) {
  return {.kind = ResourceKind::agent, .name = name, .times = {.interval = interval}};
}

const StepEnd kUp{.status = 0};
const StepEnd kDegraded{.status = 190};

TEST(LookPlan, EachAtItsOwnInterval) {
  const std::vector<Resource> both{looked_at_every(1s, "often"), looked_at_every(10s, "seldom")};
  LookPlan plan;
  EXPECT_EQ(plan.begin(both, true, 100s), (Indices{0, 1}));
  EXPECT_EQ(plan.end(both, {kUp, kUp}).health, Health::up);
  EXPECT_EQ(plan.begin(both, false, 101s), Indices{0});
  EXPECT_EQ(plan.end(both, {kUp}).health, Health::up);
  EXPECT_EQ(plan.begin(both, false, 110s), (Indices{0, 1}));
}

TEST(LookPlan, WhatIsNotWellIsLookedAtEachTime) {
  const std::vector<Resource> both{looked_at_every(1s, "often"), looked_at_every(10s, "seldom")};
  LookPlan plan;
  static_cast<void>(plan.begin(both, true, 100s));
  EXPECT_EQ(plan.end(both, {kUp, kDegraded}).health, Health::degraded);
  EXPECT_EQ(plan.begin(both, false, 101s), (Indices{0, 1}));
}

TEST(LookPlan, ALastResultStandsWhileTheOtherFails) {
  const std::vector<Resource> both{looked_at_every(1s, "often"), looked_at_every(10s, "seldom")};
  LookPlan plan;
  static_cast<void>(plan.begin(both, true, 100s));
  static_cast<void>(plan.end(both, {kUp, kUp}));
  static_cast<void>(plan.begin(both, false, 101s));
  const Sight sight = plan.end(both, {{.status = 7}});
  EXPECT_EQ(sight.health, Health::partly);
  EXPECT_EQ(sight.detail, "often: status ended with status 7");
}

TEST(LookPlan, WhatIsNotDueIsAsItWasSeen) {
  const std::vector<Resource> one{looked_at_every(10s, "seldom")};
  LookPlan plan;
  static_cast<void>(plan.begin(one, true, 100s));
  static_cast<void>(plan.end(one, {kUp}));
  EXPECT_EQ(plan.begin(one, false, 101s), Indices{});
  EXPECT_EQ(plan.end(one, {}).health, Health::up);
}

TEST(LookPlan, WhatWasNotAnsweredIsUnclear) {
  const std::vector<Resource> both{looked_at_every(0s, "one"), looked_at_every(0s, "two")};
  LookPlan plan;
  static_cast<void>(plan.begin(both, true, 100s));
  EXPECT_EQ(plan.end(both, {kUp}).health, Health::unclear);
}

TEST(LookPlan, OtherResourcesAreNewOnes) {
  LookPlan plan;
  const std::vector<Resource> one{looked_at_every(10s, "one")};
  const std::vector<Resource> two{looked_at_every(10s, "one"), looked_at_every(10s, "two")};
  static_cast<void>(plan.begin(one, true, 100s));
  EXPECT_EQ(plan.end(two, {kUp}).health, Health::up);
  EXPECT_EQ(plan.begin(two, false, 101s), (Indices{0, 1}));
}

}  // namespace
}  // namespace dexlock
