#include "cli/json_text.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

TEST(JsonText, EscapesWhatMustBe) {
  EXPECT_EQ(json_string("a\"b\\c\n\t\x1b\x7f"), R"("a\"b\\c\n\u0009\u001b\u007f")");
  EXPECT_EQ(json_string("\xc2\x9b\xc3\xa9"), "\"\\u009b\xc3\xa9\"");
  EXPECT_EQ(json_string("\xff"), "\"\xef\xbf\xbd\"");
  EXPECT_EQ(json_string(std::string_view("\0", 1)), R"("\u0000")");
}

TEST(JsonText, OfAnObjectHasItsMembersInOrder) {
  EXPECT_EQ(JsonObject()
                .add("n", 18446744073709551615ULL)
                .add("t", "x")
                .add("b", true)
                .add("none", std::optional<int>())
                .add_if("empty", "")
                .add_json("list", json_strings({"a", "b"}))
                .text(),
            R"({"n":18446744073709551615,"t":"x","b":true,"none":null,"empty":null,)"
            R"("list":["a","b"]})");
  EXPECT_EQ(JsonObject().text(), "{}");
}

}  // namespace
}  // namespace dexlock
