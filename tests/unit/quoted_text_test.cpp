#include "lock/quoted_text.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

TEST(QuotedText, ShowsPlainTextAsItIs) { EXPECT_EQ(quoted_text("web 1"), "\"web 1\""); }

TEST(QuotedText, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(quoted_text(std::string_view("a\n\t\x1b[2J\0\x7f\xff", 10)),
            "\"a\\n\\t\\x1b[2J\\x00\\x7f\\xff\"");
}

TEST(QuotedText, EscapesTheQuoteAndTheBackslashSoThatTheEndIsClear) {
  EXPECT_EQ(quoted_text("a\"b\\"), "\"a\\\"b\\\\\"");
}

TEST(QuotedText, ShortensOnlyWhatIsTooLong) {
  const std::string just(kQuotedBytesMax, 'x');
  EXPECT_EQ(quoted_text(just), "\"" + just + "\"");
  EXPECT_EQ(quoted_text(just + "y"), "\"" + just + "\"...");
  EXPECT_EQ(quoted_text(just, 3), "\"xxx\"...");
  EXPECT_LT(quoted_text(std::string(1000000, '\1')).size(), 4 * kQuotedBytesMax + 6);
}

}  // namespace
}  // namespace dexlock
