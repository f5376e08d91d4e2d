#include "lock/record_text.hpp"

#include <gtest/gtest.h>

#include <array>

#include "lock/random.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

Holder full_holder() {
  return Holder{.token = {7},
                .client = {"c1"},
                .op = {"op1"},
                .mode = Mode::shared,
                .weight = 1,
                .terms = {milliseconds(30000), milliseconds(60), milliseconds(5), 1000},
                .ticket = 4,
                .who = "me@host pid 3: a;b",
                .later_fields = {}};
}

Record full_record() {
  Record record{.count = 9, .op = {"op2"}, .holders = {full_holder(), full_holder()}};
  record.holders[1].token = {9};
  record.holders[1].client = {"c2"};
  record.holders[1].ticket = std::nullopt;
  record.last = Departed{{6}, {"c0"}, EndKind::expired, true, "gone one"};
  record.gate = Gate{GateState::hold, "disk swap"};
  record.note = "a note";
  record.data = "k=v";
  return record;
}

TEST(RecordText, IsOneReadableLine) {
  EXPECT_EQ(record_text(full_record()),
            "1;n=9;o=op2"
            ";h=7:c1:op1:s:1:30000:60:5:1000:4:me@host%20pid%203%3A%20a%3Bb"
            ",9:c2:op1:s:1:30000:60:5:1000:own:me@host%20pid%203%3A%20a%3Bb"
            ";l=6:c0:expired:1:gone%20one;g=hold:disk%20swap;note=a%20note;d=k%3Dv");
  EXPECT_EQ(parse_record(record_text(full_record())), full_record());
}

TEST(RecordText, ReadsBackEveryModeEndAndGate) {
  for (const Mode mode : {Mode::exclusive, Mode::shared, Mode::semaphore}) {
    for (const EndKind how : {EndKind::released, EndKind::expired, EndKind::broken}) {
      for (const GateState gate : {GateState::open, GateState::hold, GateState::moved}) {
        Record record = full_record();
        record.holders.pop_back();
        record.holders[0].mode = mode;
        record.capacity = mode == Mode::semaphore ? 8 : 1;
        record.last->how = how;
        record.gate = Gate{gate, gate == GateState::open ? "" : "elsewhere"};
        EXPECT_EQ(parse_record(record_text(record)), record);
      }
    }
  }
}

// T35: what a newer version wrote stays, byte for byte.
TEST(RecordText, KeepsFieldsOfANewerVersionByteForByte) {
  const std::string text =
      "2;n=3;o=a;h=3:c:b:x:1:5:0:0:0:own:w:new1:new%202;later=1;x._@/+-%:,=Z9;y=";
  const auto record = parse_record(text);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->version, 2U);
  EXPECT_EQ(record->holders[0].later_fields, (std::vector<std::string>{"new1", "new%202"}));
  EXPECT_EQ(record_text(*record), text);
}

TEST(RecordText, RefusesEverythingButTheCanonicalForm) {
  const std::array bad{
      "",
      "1",
      "1;n=1",
      "1;o=a;n=1",
      "0;n=1;o=a",
      "01;n=1;o=a",
      "1;n=01;o=a",
      "1;n=;o=a",
      "1;n=1;o=",
      "1;n=1;o=A",
      "1;n=1;o=a;",
      "1;n=1;o=a;;",
      " 1;n=1;o=a",
      "1;n=1;o=a ",
      "1;n=1;o=a\n",
      "1;n=1099511627776;o=a",  // 2^40
      "1;n=1;o=a;cap=1",
      "1;n=1;o=a;cap=0",
      "1;n=1;o=a;cap",  //
      "1;n=1;o=a;h=",
      "1;n=1;o=a;h=1:c:b:x:1:5:0:0:0:own",    //
      "1;n=1;o=a;h=0:c:b:x:1:5:0:0:0:own:w",  // token 0 is none
      "1;n=1;o=a;h=1:c:b:q:1:5:0:0:0:own:w",
      "1;n=1;o=a;h=1:C:b:x:1:5:0:0:0:own:w",
      "1;n=1;o=a;h=1:c:b:x:1:2147483648:0:0:0:own:w",
      "1;n=1;o=a;h=1:c:b:x:1:5:0:0:1000000:own:w",
      "1;n=1;o=a;h=1:c:b:x:1:5:0:0:0:mine:w",
      "1;n=1;o=a;h=1:c:b:x:1:5:0:0:0:own:w%",
      "1;n=2;o=a;h=1:c:b:s:1:5:0:0:0:own:w,1:d:b:s:1:5:0:0:0:own:w",  // a token twice
      "1;n=2;o=a;h=1:c:b:s:1:5:0:0:0:own:w,2:d:b:x:1:5:0:0:0:own:w",  // two modes
      "1;n=1;o=a;l=1:c:gone:0:w",
      "1;n=1;o=a;l=1:c:released:2:w",
      "1;n=1;o=a;l=1:c:released:0",
      "1;n=1;o=a;l=1:c:released:0:w;l=1:c:released:0:w",
      "1;n=1;o=a;g=open:",
      "1;n=1;o=a;g=hold",
      "1;n=1;o=a;note=",
      "1;n=1;o=a;d=a b",
      "1;n=1;o=a;dt=0",
      "1;n=1;o=a;dt=1;d=x",
      "1;n=1;o=a;d=x;note=y",
      "1;n=1;o=a;later=\"",
      "1;n=1;o=a;later=\\",
      "1;n=1;o=a;later=$x",
      "1;n=1;o=a;later=*"};
  for (const std::string_view text : bad) {
    EXPECT_FALSE(parse_record(text)) << text;
  }
}

// T32: huge records are refused before they are looked at.
TEST(RecordText, BoundsEverything) {
  std::string holders = "1;n=70;o=a;h=";
  for (std::size_t i = 1; i <= kHoldersMax + 1; ++i) {
    holders += (i == 1 ? "" : ",") + std::to_string(i) + ":c:b:s:1:5:0:0:0:own:w";
    EXPECT_EQ(parse_record(holders).has_value(), i <= kHoldersMax) << i;
  }
  const auto with = [](const std::string& field, std::size_t bytes) {
    return parse_record("1;n=1;o=a;" + field + std::string(bytes, 'x')).has_value();
  };
  EXPECT_TRUE(with("d=", kDataBytesMax));
  EXPECT_FALSE(with("d=", kDataBytesMax + 1));
  EXPECT_TRUE(with("note=", kNoteBytesMax));
  EXPECT_FALSE(with("note=", kNoteBytesMax + 1));
  EXPECT_TRUE(with("l=1:c:released:0:", kWhoBytesMax));
  EXPECT_FALSE(with("l=1:c:released:0:", kWhoBytesMax + 1));
  EXPECT_TRUE(with("later=", kRecordBytesMax - 16));
  EXPECT_FALSE(with("later=", kRecordBytesMax - 15));
  EXPECT_FALSE(parse_record("1;n=1;o=a;" + std::string(kRecordBytesMax, ';')));
  EXPECT_FALSE(parse_record("1;n=1;o=" + std::string(kIdBytesMax + 1, 'a')));
}

// Damage of one byte yields nothing, or another record whose only form is that text.
TEST(RecordText, NeverGuessesAtADamagedText) {
  const std::string good = record_text(full_record());
  Random random(11);
  constexpr std::string_view kBytes = "0159:;,=%azxsp \n\\\xff";
  for (int round = 0; round < 20'000; ++round) {
    std::string text = good;
    for (std::uint64_t cuts = 1 + random.below(2); cuts > 0; --cuts) {
      const std::size_t at = random.below(text.size());
      switch (random.below(3)) {
        case 0:
          text.erase(at, 1 + random.below(3));
          break;
        case 1:
          text.insert(at, 1, kBytes[random.below(kBytes.size())]);
          break;
        default:
          text[at] = kBytes[random.below(kBytes.size())];
      }
    }
    if (const auto record = parse_record(text)) {
      EXPECT_EQ(record_text(*record), text);
    }
  }
}

}  // namespace
}  // namespace dexlock
