#include "lock/lock_name.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace dexlock {
namespace {

std::string refusal(std::string_view text) {
  const auto name = LockName::parse(text);
  if (name) {
    ADD_FAILURE() << "accepted: " << text;
    return {};
  }
  EXPECT_EQ(name.error().code, Errc::bad_argument);
  const auto is_plain = [](char c) { return c >= 0x20 && c < 0x7f; };
  EXPECT_TRUE(std::all_of(name.error().text.begin(), name.error().text.end(), is_plain));
  EXPECT_LT(name.error().text.size(), 400U);
  return name.error().text;
}

TEST(LockName, KeepsEveryAllowedByte) {
  const std::string all = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@/+-";
  const auto name = LockName::parse(all);
  ASSERT_TRUE(name);
  EXPECT_EQ(name->text(), all);
}

TEST(LockName, RefusesEveryOtherByteWhereverItStands) {
  const std::string allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@/+-";
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool expected = allowed.contains(c);
    EXPECT_EQ(LockName::parse(std::string("a") + c).has_value(), expected) << byte;
    EXPECT_EQ(LockName::parse(std::string("a") + c + "b").has_value(), expected) << byte;
  }
}

TEST(LockName, AllowsOneTo200Bytes) {
  EXPECT_TRUE(LockName::parse("x"));
  EXPECT_TRUE(LockName::parse(std::string(200, 'x')));
  EXPECT_NE(refusal(std::string(201, 'x')).find("201 bytes; use at most 200"), std::string::npos);
  EXPECT_NE(refusal(std::string(300, 'x')).find("300 bytes"), std::string::npos);
  EXPECT_NE(refusal("").find("it is empty"), std::string::npos);
}

TEST(LockName, RefusesNamesThatLeaveADirectory) {
  for (const char* text : {"..", "../x", "a/..", "a/../b", "a//../b"}) {
    EXPECT_NE(refusal(text).find("a part \"..\""), std::string::npos) << text;
  }
  for (const char* text : {"...", "a..b", "..a/b", "a/b..", "a/.../b", ".", "a/./b"}) {
    EXPECT_TRUE(LockName::parse(text)) << text;
  }
}

TEST(LockName, RefusesNamesThatLookLikeAPathOrAnOption) {
  EXPECT_NE(refusal("/etc/passwd").find("begins with \"/\""), std::string::npos);
  EXPECT_NE(refusal("--verbose").find("begins with \"-\""), std::string::npos);
}

TEST(LockName, QuotesHostileNamesHarmlessly) {
  EXPECT_NE(refusal("$(reboot)").find("\"$\" is not allowed"), std::string::npos);
  EXPECT_NE(refusal("a\nb").find("\"\\n\" is not allowed"), std::string::npos);
  EXPECT_NE(refusal(std::string_view("a\0b", 3)).find("\\x00"), std::string::npos);
  EXPECT_NE(refusal("a b").find("\" \" is not allowed"), std::string::npos);
  refusal(std::string(1 << 20, '\x1b'));
}

TEST(LockName, ComparesAsText) {
  EXPECT_EQ(*LockName::parse("a"), *LockName::parse("a"));
  EXPECT_NE(*LockName::parse("a"), *LockName::parse("A"));
  EXPECT_LT(*LockName::parse("a"), *LockName::parse("a/b"));
}

}  // namespace
}  // namespace dexlock
