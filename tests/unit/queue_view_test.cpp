#include "lease/queue_view.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

using std::chrono::milliseconds;

Ticket ticket(const std::string& client, std::uint32_t number, std::uint32_t refresh) {
  return Ticket{.number = number,
                .claim = {.client = {client}},
                .terms = {},
                .refresh = refresh,
                .ttl = milliseconds(1000),
                .who = ""};
}

std::string waiting(const QueueView& view) {
  std::string text;
  for (const Ticket& one : view.waiting()) {
    text += one.claim.client.text;
  }
  return text;
}

TEST(QueueView, ShowsWhoWaitsOnAnyServerSeniorFirst) {
  QueueView view(2);
  view.saw(0, {ticket("b", 2, 5)}, {});
  view.saw(1, {ticket("a", 1, 5), ticket("b", 2, 4)}, {});
  EXPECT_EQ(waiting(view), "ab");
  EXPECT_EQ(view.highest_number(), 2U);
  view.saw(1, {}, {});
  EXPECT_EQ(waiting(view), "b");
}

TEST(QueueView, WhoHasNotRenewedForTheLifeOfItsTicketIsLeftBehind) {
  QueueView view(1);
  view.saw(0, {ticket("a", 1, 5)}, {});
  const Instant later{milliseconds(2000), milliseconds(2000)};
  EXPECT_EQ(waiting(view), "a") << "nobody has looked since";
  view.saw(0, {ticket("a", 1, 5)}, later);
  EXPECT_EQ(waiting(view), "");
  EXPECT_EQ(view.left_behind().size(), 1U);
  view.saw(0, {ticket("a", 1, 6)}, later);
  EXPECT_EQ(waiting(view), "a");
}

// What one process has seen counts for the next one of that host.
TEST(QueueView, ATicketThatAnotherProcessSawLongAgoIsLeftBehind) {
  const Instant later{milliseconds(2000), milliseconds(2000)};
  QueueView first(2);
  first.saw(0, {ticket("a", 1, 5), ticket("b", 2, 7)}, {});
  QueueView second(2);
  for (const TicketSighting& sighting : first.sightings()) {
    second.recall(sighting);
  }
  second.saw(1, {ticket("a", 1, 4), ticket("b", 2, 8)}, later);
  second.saw(0, {ticket("a", 1, 5)}, later);
  EXPECT_EQ(waiting(second), "b") << "a's has not been renewed";
}

TEST(QueueView, WhatAServerThatDoesNotAnswerMayHaveIsNotForgotten) {
  QueueView view(2);
  view.recall({ClientId{"a"}, 5, {}});
  const Instant later{milliseconds(2000), milliseconds(2000)};
  view.saw(0, {}, later);
  ASSERT_EQ(view.sightings().size(), 1U);
  EXPECT_EQ(view.sightings()[0].since, Instant{});
  view.saw(1, {}, later);
  EXPECT_TRUE(view.sightings().empty());
}

// A server that gets no refreshes is not enough to tell who has gone.
TEST(QueueView, OneServerOfThreeDoesNotTellThatAnybodyHasGone) {
  QueueView view(3);
  for (std::size_t server = 0; server < 3; ++server) {
    view.saw(server, {ticket("a", 1, 5)}, {});
  }
  const Instant later{milliseconds(2000), milliseconds(2000)};
  view.saw(0, {ticket("a", 1, 5)}, later);
  EXPECT_EQ(waiting(view), "a");
  view.saw(1, {ticket("a", 1, 5)}, later);
  EXPECT_EQ(waiting(view), "");
}

// A server that is dark shows for ever what it showed last.
TEST(QueueView, ATicketThatWasGrantedIsUsedUpUntilItIsRenewed) {
  QueueView view(2);
  view.saw(0, {ticket("a", 1, 5)}, {});
  view.granted({"a"}, 5);
  EXPECT_EQ(waiting(view), "");
  EXPECT_EQ(view.left_behind().size(), 1U);
  view.saw(1, {ticket("a", 2, 6)}, {});
  EXPECT_EQ(waiting(view), "a");
}

TEST(QueueView, AnOlderGrantUsesUpNothingNewer) {
  QueueView view(1);
  view.granted({"a"}, 7);
  view.granted({"a"}, 5);
  view.saw(0, {ticket("a", 1, 6)}, {});
  EXPECT_EQ(waiting(view), "");
  view.saw(0, {ticket("a", 1, 8)}, {});
  EXPECT_EQ(waiting(view), "a");
}

TEST(QueueView, AGrantThatWasNeverChosenUsesNothingUp) {
  QueueView view(1);
  view.saw(0, {ticket("a", 1, 6)}, {});
  view.granted({"a"}, 6);
  view.not_granted({"a"}, 5);
  EXPECT_EQ(waiting(view), "");
  view.not_granted({"a"}, 6);
  EXPECT_EQ(waiting(view), "a");
}

}  // namespace
}  // namespace dexlock
