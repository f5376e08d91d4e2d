#include "lock/escape.hpp"

#include <gtest/gtest.h>

#include "lock/random.hpp"

namespace dexlock {
namespace {

TEST(Escape, LeavesPlainTextAsItIs) {
  const std::string plain = "azAZ09._@/+-";
  EXPECT_EQ(escape_text(plain), plain);
  EXPECT_EQ(unescape_text(plain), plain);
  EXPECT_EQ(escape_text(""), "");
  EXPECT_EQ(unescape_text(""), "");
}

TEST(Escape, LeavesNoBlankSeparatorBackslashOrControlByte) {
  EXPECT_EQ(escape_text("a b"), "a%20b");
  EXPECT_EQ(escape_text("%;:,=\\\n\"'"), "%25%3B%3A%2C%3D%5C%0A%22%27");
  EXPECT_EQ(escape_text(std::string("\0\x7f\xff", 3)), "%00%7F%FF");
}

TEST(Escape, ReadsBackEveryByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) {
    all += static_cast<char>(byte);
  }
  EXPECT_EQ(unescape_text(escape_text(all)), all);
}

TEST(Escape, AcceptsTheCanonicalFormOnly) {
  for (const std::string_view bad : {"%", "%4", "a%", "a%2", "%20%", "%2g", "%zz", "%3b", "%41",
                                     "%2D", "a b", "a;b", "\n", "%-1"}) {
    EXPECT_FALSE(unescape_text(bad)) << bad;
  }
}

TEST(Escape, IsOneToOneOnWhateverItReads) {
  Random random(5);
  constexpr std::string_view kBytes = "%%%024FAaz :;\n\xff";
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::uint64_t length = random.below(9); length > 0; --length) {
      text += kBytes[random.below(kBytes.size())];
    }
    EXPECT_EQ(unescape_text(escape_text(text)), text);
    if (const auto raw = unescape_text(text)) {
      EXPECT_EQ(escape_text(*raw), text);
    }
  }
}

}  // namespace
}  // namespace dexlock
