#include "sim/history.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/history_report.hpp"

namespace dexlock::sim {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string error_of(std::string_view text) {
  const auto histories = parse_histories(text);
  return histories ? "none" : histories.error().text;
}

HistoryReport report(std::string_view text) {
  auto made = report_on_history("h", text);
  EXPECT_TRUE(made) << made.error().text;
  return made.value_or(HistoryReport{});
}

TEST(History, KeepsTheLocksApart) {
  const auto histories = parse_histories(
      "# a comment\n"
      "one a get 1 10 20 held\n"
      "\n"
      "two b get 1 11 21 held  # beside it\n"
      "one a release 1 30 ? unknown\n");
  ASSERT_TRUE(histories);
  ASSERT_EQ(histories->size(), 2U);
  EXPECT_EQ(histories->front().lock, "one");
  EXPECT_EQ(histories->front().lines, (std::vector<std::size_t>{2, 5}));
  EXPECT_FALSE(histories->front().operations.back().answered);
  EXPECT_EQ(histories->back().operations.size(), 1U);
}

TEST(History, LeavesOutWhatSaysNothingOfTheLock) {
  const auto histories = parse_histories("l a get - 1 2 no\nl a get - 3 ? unknown\n");
  ASSERT_TRUE(histories);
  EXPECT_TRUE(histories->front().operations.empty());
}

TEST(History, NamesTheLineThatItDoesNotUnderstand) {
  EXPECT_THAT(error_of("l a get 1 2 3 held\nl a get 1\n"), StartsWith("line 2 has 4 fields"));
  EXPECT_THAT(error_of("l a get x 1 2 held"), HasSubstr("no token"));
  EXPECT_THAT(error_of("l a get 0 1 2 held"), HasSubstr("no token"));
  EXPECT_THAT(error_of("l a get 1 2 1 held"), HasSubstr("after INVOKED"));
  EXPECT_THAT(error_of("l a get 1 -2 1 held"), HasSubstr("as INVOKED"));
  EXPECT_THAT(error_of("l a get 1 1 ? held"), HasSubstr("outcome"));
  EXPECT_THAT(error_of("l a get 1 1 2 unknown"), HasSubstr("outcome"));
  EXPECT_THAT(error_of("l a release 1 1 2 no"), HasSubstr("outcome"));
  EXPECT_THAT(error_of("l a take 1 1 2 done"), HasSubstr("\"take\""));
  EXPECT_THAT(error_of("l a change x 1 2 done"), HasSubstr("BASE>NEXT"));
  EXPECT_THAT(error_of("l a change >x 1 2 done"), HasSubstr("BASE>NEXT"));
  EXPECT_THAT(error_of("l a read x 1 2 done\nl a get 1 1 2 held"), HasSubstr("plain register"));
  EXPECT_THAT(error_of(std::string(70, '9') + " a get 1 1 99999999999999999999 held"),
              HasSubstr("ANSWERED"));
}

TEST(HistoryReport, EndsWithTheVerdict) {
  const HistoryReport clean = report("l a get 1 1 2 held\nl a lost 1 5 6 done\nl b get 2 7 8 held");
  EXPECT_TRUE(clean.clean);
  EXPECT_EQ(clean.text, "verdict: linearizable; 3 operations on 1 registers, 0 gave up\n");
}

TEST(HistoryReport, NamesTheLineOfEachRegisterThatIsWrong) {
  const HistoryReport wrong = report(
      "l a get 1 1 2 held\n"
      "l b get 2 3 4 held\n"
      "r a change nil>x 1 2 done\n"
      "r a change nil>y 3 4 done\n"
      "fine a get 1 1 2 held\n");
  EXPECT_FALSE(wrong.clean);
  EXPECT_THAT(wrong.text, HasSubstr("h:2: no order"));
  EXPECT_THAT(wrong.text, HasSubstr("h:4: no order"));
  EXPECT_THAT(wrong.text, EndsWith("verdict: FINDING; 5 operations on 3 registers, 0 gave up\n"));
}

}  // namespace
}  // namespace dexlock::sim
