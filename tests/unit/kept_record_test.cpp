#include "store/kept_record.hpp"

#include <gtest/gtest.h>

#include "wire/durable_text.hpp"

namespace dexlock {
namespace {

const std::string kAbsent = durable_text(absent_record(Epoch{1}));

TEST(KeptRecord, OfTheFirstGenerationIsTheDurableTextAsItAlwaysWas) {
  EXPECT_EQ(kept_text(absent_record(Epoch{1}), 0), kAbsent);
  const auto kept = parse_kept(kAbsent);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->durable, absent_record(Epoch{1}));
  EXPECT_EQ(kept->generation, 0U);
}

TEST(KeptRecord, TellsItsGenerationBehindIt) {
  const std::string text = kept_text(absent_record(Epoch{1}), 12);
  EXPECT_EQ(text, kAbsent + "~12");
  const auto kept = parse_kept(text);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->durable, absent_record(Epoch{1}));
  EXPECT_EQ(kept->generation, 12U);
}

TEST(KeptRecord, IsRefusedIfItIsDamaged) {
  for (const char* tail : {"~", "~0", "~01", "~-1", "~x", "~1~", "~1~2", "~1 ", "~2147483648"}) {
    EXPECT_FALSE(parse_kept(kAbsent + tail)) << tail;
  }
  EXPECT_FALSE(parse_kept("~1"));
  EXPECT_FALSE(parse_kept(kAbsent.substr(0, 20) + "~1"));
}

}  // namespace
}  // namespace dexlock
