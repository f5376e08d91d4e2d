#include "server/watches.hpp"

#include <gtest/gtest.h>

#include "lock/change.hpp"

namespace dexlock {
namespace {

constexpr std::uint64_t kOne = 1;
constexpr std::uint64_t kOther = 2;

Watch watch(const std::string& key, const std::string& client) {
  return {{"g1", "s1", Epoch{1}}, key, ClientId{client}};
}

State held_by(const std::vector<std::string>& clients, std::uint32_t round) {
  State state{.accepted = {1, round, {7, 7}, 0}, .value = Record{}};
  for (const std::string& client : clients) {
    state.value->holders.push_back(
        Holder{.token = FencingToken{round}, .client = ClientId{client}});
  }
  return state;
}

Ticket ticket(const std::string& client, std::uint32_t number) {
  return {.number = number, .claim = {.client = ClientId{client}}};
}

using Ids = std::vector<Watches::Id>;

TEST(Watches, TellsEverybodyThatTheLockIsFree) {
  Watches watches(10, 10);
  ASSERT_TRUE(watches.add({kOne, 4}, watch("a", "c1")));
  ASSERT_TRUE(watches.add({kOther, 4}, watch("a", "c2")));
  ASSERT_TRUE(watches.add({kOther, 5}, watch("b", "c3")));
  EXPECT_EQ(watches.concerned("a", held_by({}, 1)), (Ids{{kOne, 4}, {kOther, 4}}));
  EXPECT_TRUE(watches.concerned("a", held_by({}, 1)).empty()) << "they have heard of it";
  EXPECT_EQ(watches.concerned("a", held_by({}, 2)).size(), 2U);
}

// All of them behind three others in line, whom a change concerns in any case.
State waited_for(State state) {
  for (const char* client : {"w1", "w2", "w3", "c1", "c2"}) {
    state.tickets.push_back(ticket(client, static_cast<std::uint32_t>(state.tickets.size())));
  }
  return state;
}

TEST(Watches, TellsHoldersNewAndOld) {
  Watches watches(10, 10);
  ASSERT_TRUE(watches.add({kOne, 1}, watch("a", "c1")));
  ASSERT_TRUE(watches.add({kOne, 2}, watch("a", "c2")));
  EXPECT_EQ(watches.concerned("a", waited_for(held_by({"c1"}, 1))), (Ids{{kOne, 1}}));
  EXPECT_EQ(watches.concerned("a", waited_for(held_by({"c2"}, 2))), (Ids{{kOne, 1}, {kOne, 2}}));
  EXPECT_TRUE(watches.concerned("a", waited_for(held_by({"c3"}, 3))).size() == 1U);
  EXPECT_TRUE(watches.concerned("a", waited_for(held_by({"c4"}, 4))).empty());
}

TEST(Watches, TellsWhoLooksOnOfEveryChangeWhileItCanTellWhoWaits) {
  Watches watches(10, 10);
  ASSERT_TRUE(watches.add({kOne, 1}, watch("a", "looker")));
  EXPECT_EQ(watches.concerned("a", waited_for(held_by({"h"}, 1))).size(), 1U);
  EXPECT_EQ(watches.concerned("a", waited_for(held_by({"h"}, 1))).size(), 0U);
  State crowded = held_by({"h"}, 2);
  for (std::uint32_t number = 0; number < kTicketsPerReplyMax; ++number) {
    crowded.tickets.push_back(ticket("w" + std::to_string(number), number));
  }
  EXPECT_TRUE(watches.concerned("a", crowded).empty());
}

TEST(Watches, TellsThoseNextInLineOnlyOfAHeldLock) {
  Watches watches(10, 10);
  State state = held_by({"h"}, 1);
  for (std::uint32_t number = 6; number > 0; --number) {
    const std::string client = "c" + std::to_string(number);
    ASSERT_TRUE(watches.add({kOne, number}, watch("a", client)));
    state.tickets.push_back(ticket(client, number));
  }
  EXPECT_EQ(watches.concerned("a", state), (Ids{{kOne, 1}, {kOne, 2}, {kOne, 3}}));
}

TEST(Watches, ForgetsWhatEndedAndHasALimit) {
  Watches watches(2, 2);
  ASSERT_TRUE(watches.add({kOne, 1}, watch("a", "c1")));
  ASSERT_TRUE(watches.add({kOther, 1}, watch("a", "c2")));
  EXPECT_FALSE(watches.add({kOther, 2}, watch("a", "c3")));
  EXPECT_TRUE(watches.add({kOther, 1}, watch("b", "c2"))) << "in place of what it was";
  EXPECT_EQ(watches.concerned("a", held_by({}, 1)), (Ids{{kOne, 1}}));
  watches.remove({kOne, 1});
  EXPECT_FALSE(watches.watched("a"));
  watches.remove_all(kOther);
  EXPECT_EQ(watches.size(), 0U);
}

TEST(Watches, OneConnectionTakesNoMoreThanItsShare) {
  Watches watches(10, 2);
  ASSERT_TRUE(watches.add({kOne, 1}, watch("a", "c1")));
  ASSERT_TRUE(watches.add({kOne, 2}, watch("a", "c2")));
  EXPECT_FALSE(watches.add({kOne, 3}, watch("a", "c3")));
  EXPECT_TRUE(watches.add({kOther, 3}, watch("a", "c3")));
  watches.remove({kOne, 1});
  EXPECT_TRUE(watches.add({kOne, 3}, watch("a", "c3")));
}

}  // namespace
}  // namespace dexlock
