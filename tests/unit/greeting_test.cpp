#include "transport/greeting.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

TEST(Greeting, IsFoundAtOnce) {
  GreetingFinder finder("alpha");
  const auto found = finder.feed("dex-lock 1 files abc");
  ASSERT_TRUE(found.has_value());
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ(**found, "dex-lock 1 files abc");
}

TEST(Greeting, IsFoundBehindNoise) {
  GreetingFinder finder("alpha");
  for (const char* noise :
       {"", "Welcome!", " dex-lock 1 indented", "dex-lock 1", "dex-lock", "dex-lock 1\tx",
        "dex-lock 01 x", "dex-lock is cool", "dex-lock  1 x", "DEX-LOCK 1 x", "dex-lock -1 x",
        "dex-lock 1x y", "dex-lock 12345678901234567890 x", "x dex-lock 1 x"}) {
    EXPECT_FALSE(finder.feed(noise).has_value()) << noise;
  }
  const auto found = finder.feed("dex-lock 1 ");
  ASSERT_TRUE(found.has_value() && found->has_value());
  EXPECT_EQ(**found, "dex-lock 1 ");
}

TEST(Greeting, OfANewerServerSaysToUpgradeHere) {
  GreetingFinder finder("alpha");
  const auto found = finder.feed("dex-lock 2 files");
  ASSERT_TRUE(found.has_value());
  ASSERT_FALSE(found->has_value());
  EXPECT_EQ(found->error().code, Errc::bad_config);
  EXPECT_EQ(found->error().text,
            "lock server alpha is newer: it speaks version 2, this dex-lock version 1; upgrade "
            "dex-lock on this machine");
}

TEST(Greeting, OfAnOlderServerSaysToUpgradeThere) {
  GreetingFinder finder("alpha");
  const auto found = finder.feed("dex-lock 0 files");
  ASSERT_TRUE(found.has_value());
  ASSERT_FALSE(found->has_value());
  EXPECT_EQ(found->error().text,
            "this dex-lock is newer: it speaks version 1, lock server alpha version 0; upgrade "
            "dex-lock on that server");
}

TEST(Greeting, MayComeAfterTheMostNoiseLinesAllowed) {
  GreetingFinder finder("alpha");
  for (std::size_t i = 0; i < kGreetingNoiseLines; ++i) {
    ASSERT_FALSE(finder.feed("x").has_value());
  }
  const auto found = finder.feed("dex-lock 1 files");
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(found->has_value());
}

TEST(Greeting, IsGivenUpAfterOneNoiseLineMore) {
  GreetingFinder finder("alpha");
  ASSERT_FALSE(finder.feed("\x1b[31mfor\xc3\xa9 ver").has_value());
  for (std::size_t i = 1; i < kGreetingNoiseLines; ++i) {
    ASSERT_FALSE(finder.feed("x").has_value());
  }
  const auto found = finder.feed("x");
  ASSERT_TRUE(found.has_value());
  ASSERT_FALSE(found->has_value());
  EXPECT_EQ(found->error().text,
            "lock server alpha prints too much and no greeting: 201 lines, the first is "
            "'[31mfor?? ver'; silence its login files for logins without a terminal");
}

TEST(Greeting, IsGivenUpAfterTooManyBytes) {
  GreetingFinder finder("alpha");
  const std::string line(32 * 1024 - 1, 'x');  // with its newline half of what is allowed
  ASSERT_FALSE(finder.feed(line).has_value());
  ASSERT_FALSE(finder.feed(line).has_value());
  const auto found = finder.feed("");
  ASSERT_TRUE(found.has_value());
  ASSERT_FALSE(found->has_value());
  EXPECT_NE(found->error().text.find("prints too much and no greeting: 3 lines"),
            std::string::npos);
  EXPECT_LT(found->error().text.size(), 300U);
}

TEST(Greeting, IsDecidedOnce) {
  GreetingFinder finder("alpha");
  ASSERT_TRUE(finder.feed("dex-lock 1 first").has_value());
  const auto again = finder.feed("dex-lock 2 second");
  ASSERT_TRUE(again.has_value() && again->has_value());
  EXPECT_EQ(**again, "dex-lock 1 first");
}

}  // namespace
}  // namespace dexlock
