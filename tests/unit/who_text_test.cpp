#include "client/who_text.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "lock/escape.hpp"
#include "lock/record.hpp"

namespace dexlock {
namespace {

TEST(WhoText, NamesUserShortHostPidAndCommand) {
  EXPECT_EQ(
      who_text({.user = "ops", .host = "web1.example.org", .pid = 42, .command = "backup.sh"}),
      "ops@web1 pid 42 backup.sh");
}

TEST(WhoText, FitsTheRecordWhateverTheParts) {
  for (const std::string unit : {"x", " ", "\n", "\xc3\xa4", "\xff", "\x82", "\xf0\x9f\x94\x92"}) {
    for (std::size_t count = 0; count < 200; ++count) {
      std::string text;
      for (std::size_t i = 0; i < count; ++i) {
        text += unit;
      }
      for (const auto& parts : {WhoParts{.user = "u", .host = "h", .pid = 1, .command = text},
                                WhoParts{.user = text, .host = text, .pid = 1, .command = text}}) {
        const std::string who = who_text(parts);
        EXPECT_LE(escape_text(who).size(), kWhoBytesMax);
        EXPECT_EQ(unescape_text(escape_text(who)), who);
        EXPECT_NE(who.find("@"), std::string::npos);
        EXPECT_NE(who.find(" pid 1 "), std::string::npos);
      }
    }
  }
}

TEST(WhoText, IsCutBetweenCharacters) {
  std::string command;
  for (int i = 0; i < 100; ++i) {
    command += "\xe2\x82\xac";  // three bytes each
  }
  for (const auto* user : {"u", "uu", "uuu", "uuuu", "uuuuu", "uuuuuu", "uuuuuuu", "uuuuuuuu"}) {
    const std::string who = who_text({.user = user, .host = "h", .pid = 1, .command = command});
    const auto tail = who.substr(who.find("\xe2"));
    EXPECT_EQ(tail.size() % 3, 0U);
    EXPECT_GT(escape_text(who).size(), kWhoBytesMax - 9);
  }
}

TEST(WhoText, KeepsThePidBesideLongNames) {
  const std::string who = who_text({.user = std::string(500, 'u'),
                                    .host = std::string(500, 'h'),
                                    .pid = 4242,
                                    .command = "job"});
  EXPECT_TRUE(who.ends_with(" pid 4242 job")) << who;
}

TEST(WhoHere, KnowsUserAndHost) {
  const WhoParts here = who_here(7, "job");
  EXPECT_FALSE(here.user.empty());
  EXPECT_FALSE(here.host.empty());
  EXPECT_EQ(here.pid, 7);
  EXPECT_EQ(here.command, "job");
}

}  // namespace
}  // namespace dexlock
