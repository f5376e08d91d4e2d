#include "session/saved.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "lock/random.hpp"
#include "lock/record_text.hpp"

namespace dexlock {
namespace {

Record held() {
  return Record{.count = 3,
                .op = {"op"},
                .holders = {Holder{.token = {3},
                                   .client = {"me"},
                                   .op = {"op"},
                                   .terms = {std::chrono::seconds(9), {}, {}, 1000},
                                   .who = "a b"}}};
}

Saved full() {
  Saved saved{.client = {"me"}, .group = "g1", .token = {3}, .granted_at = {1, 5, {2, 3}, 0}};
  saved.record = held();
  saved.start = {Nanoseconds(123456789012345), Nanoseconds(5)};
  saved.lease = std::chrono::seconds(9);
  saved.beat = 77;
  saved.maybe_listed = true;
  saved.sticky = Sticky{{1, 6, {2, 3}, 0}, held()};
  return saved;
}

TEST(Saved, ReadsBackWhatItWrote) {
  for (const bool sticky : {true, false}) {
    for (const bool record : {true, false}) {
      Saved saved = full();
      if (!sticky) {
        saved.sticky.reset();
      }
      if (!record) {
        saved.record.reset();
      }
      const auto read = parse_saved(saved_text(saved));
      ASSERT_TRUE(read);
      EXPECT_EQ(saved_text(*read), saved_text(saved));
      EXPECT_EQ(read->client, saved.client);
      EXPECT_EQ(read->group, saved.group);
      EXPECT_EQ(read->token, saved.token);
      EXPECT_EQ(read->granted_at, saved.granted_at);
      EXPECT_EQ(read->record, saved.record);
      EXPECT_EQ(read->start, saved.start);
      EXPECT_EQ(read->lease, saved.lease);
      EXPECT_EQ(read->beat, saved.beat);
      EXPECT_EQ(read->maybe_listed, saved.maybe_listed);
      EXPECT_EQ(read->sticky, saved.sticky);
    }
  }
}

TEST(Saved, KnowsItsPlaceInLine) {
  Saved saved = full();
  saved.place = PlaceInLine{.number = 4, .refresh = 36000, .refused = saved.start};
  const std::string text = saved_text(saved);
  const auto read = parse_saved(text);
  ASSERT_TRUE(read && read->place);
  EXPECT_EQ(read->place->number, 4U);
  EXPECT_EQ(read->place->refresh, 36000U);
  EXPECT_EQ(read->place->refused, saved.start);
  EXPECT_EQ(read->sticky, saved.sticky);
  EXPECT_EQ(saved_text(*read), text);
  EXPECT_FALSE(parse_saved("1" + text.substr(1))) << "an earlier version has no places";
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(parse_saved(text.substr(0, length))) << length;
  }
}

TEST(Saved, IsOneLine) { EXPECT_EQ(saved_text(full()).find('\n'), std::string::npos); }

// Preface of the protocol: a torn or foreign state means "I hold nothing", never a guess.
TEST(Saved, ReadsNothingFromATornText) {
  const std::string text = saved_text(full());
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(parse_saved(text.substr(0, length))) << length;
  }
  EXPECT_FALSE(parse_saved(text + " "));
  EXPECT_FALSE(parse_saved(text + text));
  EXPECT_FALSE(parse_saved("2" + text.substr(1))) << "another version";
}

TEST(Saved, ReadsNothingFromADamagedText) {
  const std::string text = saved_text(full());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    const auto at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return parse_saved(changed.replace(at, from.size(), to)).has_value();
  };
  EXPECT_TRUE(with(" me ", " you "));
  EXPECT_FALSE(with(" me ", " ME "));
  EXPECT_TRUE(with(" g1 ", " - "));
  EXPECT_FALSE(with(" g1 ", " g.1 "));
  EXPECT_FALSE(with(" 3 1.5", " -3 1.5"));
  EXPECT_FALSE(with(" 3 1.5", " 9223372036854775808 1.5"));
  EXPECT_FALSE(with("1.5.2.3.0", "1.5.2.3"));
  EXPECT_FALSE(with("123456789012345", "-1"));
  EXPECT_FALSE(with(" 9000000000 ", " 9999999999999999 ")) << "no lease is that long";
  EXPECT_FALSE(with(" 77 ", " 2147483648 "));
  EXPECT_FALSE(with(" 1 1.6", " 2 1.6"));
  EXPECT_FALSE(with(" 1.6.2.3.0 ", " 1.6 "));
}

// A clock shows no such reading, and a lease that began then could not be computed with.
TEST(Saved, ReadsNoStartAtTheEndOfTheNumbers) {
  const auto text_with_start = [](const std::string& reading) {
    return "1 me - 0 1.0.0.0.0 - " + reading + ' ' + reading + " 30000000000 0 0 - - end";
  };
  EXPECT_TRUE(parse_saved(text_with_start("4611686018427387904")));
  EXPECT_FALSE(parse_saved(text_with_start("4611686018427387905")));
  EXPECT_FALSE(parse_saved(text_with_start("9223372036854775807")));
}

TEST(Saved, ReadsNoRecordOfAStickyPromiseWithoutThePromise) {
  const std::string start = "1 me - 0 1.0.0.0.0 - 0 0 0 0 0 ";
  EXPECT_TRUE(parse_saved(start + "- - end"));
  EXPECT_TRUE(parse_saved(start + "1.2.3.4.0 1;n=1;o=op end"));
  EXPECT_FALSE(parse_saved(start + "- 1;n=1;o=op end"));
  EXPECT_FALSE(parse_saved(start + "1.2.3.4.0 - end"));
}

TEST(Saved, NeverCrashesOnNoise) {
  const std::string text = saved_text(full());
  Random random(3);
  for (int round = 0; round < 5'000; ++round) {
    std::string noisy = text;
    for (int i = 0; i < 3; ++i) {
      noisy[random.below(noisy.size())] = static_cast<char>(random.below(256));
    }
    if (const auto saved = parse_saved(noisy)) {
      EXPECT_TRUE(is_id_text(saved->client.text));
    }
  }
}

}  // namespace
}  // namespace dexlock
