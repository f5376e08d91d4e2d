// The exhaustive search itself: it finds nothing in the core as it is, and every planted error in
// the case that is named with it.
#include <gtest/gtest.h>

#include "sim/exhaust_cases.hpp"

namespace dexlock::sim {
namespace {

SearchReport searched(std::string_view name, Mistake mistake) {
  const ExhaustCase* one = exhaust_case(name);
  EXPECT_NE(one, nullptr) << name;
  return search(*one->make(mistake), {});
}

class Exhausted : public testing::TestWithParam<const char*> {};

TEST_P(Exhausted, WithoutAFinding) {
  const SearchReport report = searched(GetParam(), Mistake::none);
  EXPECT_EQ(report.finding, "");
  EXPECT_TRUE(report.exhausted);
  EXPECT_GT(report.states, 1000U);
}

INSTANTIATE_TEST_SUITE_P(Case, Exhausted,
                         testing::Values("register", "register-five", "reuse", "sticky-evictor",
                                         "ceiling", "ceiling-stop", "forming", "forming-overlap"));

class PlantedMistake : public testing::TestWithParam<NamedMistake> {};

TEST_P(PlantedMistake, IsFoundWithATrace) {
  const SearchReport report = searched(GetParam().in, GetParam().mistake);
  EXPECT_NE(report.finding, "");
  EXPECT_FALSE(report.trace.empty());
  EXPECT_LE(report.trace.size(), 30U);
}

INSTANTIATE_TEST_SUITE_P(Each, PlantedMistake,
                         testing::ValuesIn(named_mistakes().begin(), named_mistakes().end()),
                         [](const testing::TestParamInfo<NamedMistake>& mistake) {
                           std::string name(mistake.param.name);
                           std::erase(name, '-');
                           return name;
                         });

TEST(Search, GivesTheSameNumbersEachTime) {
  const SearchReport first = searched("reuse", Mistake::none);
  const SearchReport again = searched("reuse", Mistake::none);
  EXPECT_EQ(first.states, again.states);
  EXPECT_EQ(first.transitions, again.transitions);
  EXPECT_EQ(first.depth, again.depth);
}

TEST(Search, SaysWhenItStoppedEarly) {
  const SearchReport report =
      search(*exhaust_case("register")->make(Mistake::none), {.states = 1000});
  EXPECT_FALSE(report.exhausted);
  EXPECT_EQ(report.finding, "");
}

}  // namespace
}  // namespace dexlock::sim
