#include "client/silence.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant at(std::int64_t both) { return {seconds(both), seconds(both)}; }

const Holder kHolder{.token = {7},
                     .client = {"client"},
                     .op = {"op"},
                     .terms = {.lease = seconds(10), .stop = seconds(5), .drift_ppm = 1000}};

State showing(std::uint32_t beat, const std::string& boot = "boot") {
  return State{.value = Record{.holders = {kHolder}},
               .beats = {{kHolder.token, beat}},
               .boot = BootId{boot}};
}

Silence after(std::optional<SeenLock> before) {
  return Silence(std::move(before), "group", {"one", "two", ""});
}

// Both of the two that answer have shown heartbeat 4 at 100 s.
SeenLock seen_by_two() {
  Silence silence = after(std::nullopt);
  silence.saw(0, showing(4), at(100));
  silence.saw(1, showing(4), at(100));
  return silence.news().value();
}

TEST(SilenceTest, LapsesWhenAMajorityHasShownNoChangeForTheWholeObservationTime) {
  Silence silence = after(seen_by_two());
  silence.saw(0, showing(4), at(114));
  silence.saw(1, showing(4), at(114));
  EXPECT_EQ(silence.unchanged(kHolder, at(114)), seconds(14));
  EXPECT_FALSE(silence.has_lapsed(kHolder, at(115))) << "both clocks may drift";
  EXPECT_TRUE(silence.has_lapsed(kHolder, at(116)));
}

TEST(SilenceTest, OneNewHeartbeatIsASignOfLife) {
  Silence silence = after(seen_by_two());
  silence.saw(0, showing(5), at(200));
  silence.saw(1, showing(4), at(200));
  EXPECT_EQ(silence.unchanged(kHolder, at(201)), seconds(1));
  EXPECT_FALSE(silence.has_lapsed(kHolder, at(201)));
}

TEST(SilenceTest, AServerThatHasLostItsHeartbeatsIsSeenAnew) {
  Silence silence = after(seen_by_two());
  silence.saw(0, showing(4, "next boot"), at(200));
  silence.saw(1, showing(4), at(200));
  EXPECT_FALSE(silence.has_lapsed(kHolder, at(201)));
}

TEST(SilenceTest, WhatWasSeenOfAnotherGroupCountsForNothing) {
  SeenLock before = seen_by_two();
  before.group = "other";
  Silence silence = after(before);
  silence.saw(0, showing(4), at(200));
  silence.saw(1, showing(4), at(200));
  EXPECT_EQ(silence.unchanged(kHolder, at(200)), seconds(0));
}

TEST(SilenceTest, NothingNewIsNotRememberedAgain) {
  Silence silence = after(seen_by_two());
  silence.saw(0, showing(4), at(200));
  silence.saw(1, showing(4), at(200));
  EXPECT_FALSE(silence.news());
  EXPECT_FALSE(after(std::nullopt).news()) << "nobody holds it";
}

TEST(SilenceTest, WhatCallsRememberBesidesIsKept) {
  SeenLock before = seen_by_two();
  before.round = 9;
  before.tickets = {{ClientId{"waiter"}, 3, at(90)}};
  before.sights.push_back({{kHolder.token, kHolder.op}, "three", {4, BootId{"boot"}, at(80)}});
  Silence silence = after(before);
  silence.saw(0, showing(5), at(200));
  const SeenLock seen = silence.news().value();
  EXPECT_EQ(seen.round, 9U);
  EXPECT_EQ(seen.tickets.size(), 1U);
  EXPECT_EQ(seen.sights.size(), 3U) << "of a server that did not greet this time, too";
}

}  // namespace
}  // namespace dexlock
