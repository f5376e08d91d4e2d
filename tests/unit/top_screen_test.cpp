#include "cli/top_screen.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/shown_text.hpp"

namespace dexlock {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::Not;

ServersSight three_servers() {
  ServersSight sight{.group = "g1", .epoch = 1, .majority = 2};
  for (const char* name : {"s1", "s2", "s3"}) {
    sight.servers.push_back({.name = name, .reachable = true, .votes = true});
  }
  sight.servers[2] = {.name = "s3", .trouble = "s3: \x1b[2Jno route"};
  return sight;
}

LocksSight some_locks() {
  LocksSight sight;
  sight.locks.push_back({.name = "held/one",
                         .last_token = 7,
                         .holders = {HolderSight{.token = 7, .who = "ann@web1 \xc3\xa9"}}});
  for (int n = 0; n < 8; ++n) {
    sight.locks.back().waiters.push_back({.who = "waiter" + std::to_string(n)});
  }
  sight.locks.push_back({.name = "free"});
  return sight;
}

TEST(TopScreen, ShowsServersHoldersAndTheFirstOfThoseWhoWait) {
  const auto lines = top_screen(three_servers(), some_locks(), "now", {.colour = false});
  EXPECT_THAT(lines, Contains("2 of 3 lock servers reachable: a majority"));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("s3"), HasSubstr("down: ?[2Jno route"))));
  EXPECT_THAT(lines, Contains("1 locks held, 1 free"));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("held/one"), HasSubstr(" 8  ann@web1 ?"))));
  EXPECT_THAT(lines, Contains(HasSubstr("waits: waiter4")));
  EXPECT_THAT(lines, Not(Contains(HasSubstr("waiter5"))));
  EXPECT_THAT(lines, Contains(HasSubstr("and 3 more")));
  EXPECT_THAT(lines, Each(Not(HasSubstr("\x1b"))));
}

TEST(TopScreen, FitsIntoAnyTerminal) {
  for (const std::size_t rows : {0UL, 1UL, 2UL, 7UL, 100UL}) {
    for (const std::size_t columns : {1UL, 10UL, 79UL}) {
      const auto lines =
          top_screen(three_servers(), some_locks(), "now",
                     {.colour = false, .utf8 = true, .columns = columns, .rows = rows});
      EXPECT_LE(lines.size(), rows);
      for (const std::string& line : lines) {
        EXPECT_EQ(cut_text(line, columns), line);
      }
    }
  }
}

TEST(ShownText, HasNothingThatATerminalObeys) {
  EXPECT_EQ(shown_text("a\x1b[1mb\nc\x7f", true), "a?[1mb?c?");
  EXPECT_EQ(shown_text("\xc2\x9b"
                       "1m",
                       true),
            "?1m");
  EXPECT_EQ(shown_text("\xe2\x80\xae", true), "?");
  EXPECT_EQ(shown_text("\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92", true),
            "\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92");
  EXPECT_EQ(shown_text("\xc3\xa9", false), "?");
  EXPECT_EQ(shown_text("\xc3(\xed\xa0\x80\xf4\x90\x80\x80\xc0\x80", true), "?(?????????");
}

TEST(ShownText, OfTimesAndSizes) {
  using namespace std::chrono_literals;
  EXPECT_EQ(shown_time(std::nullopt), "-");
  EXPECT_EQ(shown_time(350us), "0.35 ms");
  EXPECT_EQ(shown_time(12ms), "12 ms");
  EXPECT_EQ(shown_time(3200ms), "3.2 s");
  EXPECT_EQ(shown_time(5min), "5 min");
  EXPECT_EQ(shown_time(72h), "72 h");
  EXPECT_EQ(shown_bytes(999), "999 B");
  EXPECT_EQ(shown_bytes(12'345'000'000), "12.3 GB");
  EXPECT_EQ(shown_bytes(UINT64_MAX), "18447 PB");
}

}  // namespace
}  // namespace dexlock
