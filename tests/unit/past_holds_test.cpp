#include "client/past_holds.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

using std::chrono::milliseconds;

PastHold hold(std::uint64_t token, std::string who, HoldState state, std::int64_t from,
              std::optional<std::int64_t> to = {}) {
  PastHold made{{token}, milliseconds(from), {}, state, std::move(who)};
  if (to) {
    made.to = milliseconds(*to);
  }
  return made;
}

TEST(PastHolds, OfSeveralServersAreOneByToken) {
  const auto merged = merged_holds(
      {{hold(2, "bob", HoldState::released, 300, 400), hold(1, "ann", HoldState::ended, 110, 290)},
       {hold(1, "ann", HoldState::expired, 100, 280)},
       {hold(1, "ann", HoldState::holding, 120)}},
      {.last = LastHolderSight{2, "bob", "released"}});
  ASSERT_EQ(merged.size(), 2U);
  EXPECT_EQ(merged[0].token, 2U);
  EXPECT_EQ(merged[0].to, milliseconds(400));
  EXPECT_EQ(merged[1].how, "expired");
  EXPECT_EQ(merged[1].from, milliseconds(100));
  EXPECT_EQ(merged[1].to, milliseconds(280));
}

TEST(PastHolds, GoByTheRecordForThePresentAndTheLastHolder) {
  const LockSight lock{.holders = {HolderSight{.token = 3, .who = "cid"}},
                       .last = LastHolderSight{2, "bob", "broken"}};
  const auto merged = merged_holds(
      {{hold(3, "dan", HoldState::holding, 500)}, {hold(2, "bob", HoldState::holding, 300)}}, lock);
  ASSERT_EQ(merged.size(), 2U);
  EXPECT_EQ(merged[0].who, "cid");
  EXPECT_EQ(merged[0].how, "holding");
  EXPECT_EQ(merged[0].from, std::nullopt);
  EXPECT_EQ(merged[1].how, "broken");
  EXPECT_EQ(merged[1].from, milliseconds(300));
}

TEST(PastHolds, NeverChosenAreOutvotedAndWhatIsOverIsNotHeld) {
  const auto merged = merged_holds({{hold(1, "rival", HoldState::holding, 100)},
                                    {hold(1, "ann", HoldState::holding, 100)},
                                    {hold(1, "ann", HoldState::holding, 100)}},
                                   {});
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].who, "ann");
  EXPECT_EQ(merged[0].how, "ended");
}

TEST(PastHolds, AreAtMostTwenty) {
  std::vector<PastHold> first;
  std::vector<PastHold> second;
  for (std::uint64_t token = 1; token <= 20; ++token) {
    first.push_back(hold(token, "a", HoldState::released, 1, 2));
    second.push_back(hold(token + 10, "a", HoldState::released, 1, 2));
  }
  const auto merged = merged_holds({first, second}, {});
  ASSERT_EQ(merged.size(), 20U);
  EXPECT_EQ(merged.front().token, 30U);
  EXPECT_EQ(merged.back().token, 11U);
}

}  // namespace
}  // namespace dexlock
