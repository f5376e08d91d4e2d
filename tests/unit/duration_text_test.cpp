#include "system/duration_text.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace dexlock {
namespace {

using std::chrono::milliseconds;

constexpr DurationLimits kAny{};

std::int64_t ms_of(std::string_view text) {
  const auto parsed = parse_duration(text, kAny, "TIMEOUT");
  return parsed ? parsed->count() : -1;
}

std::string refusal(std::string_view text, DurationLimits limits = kAny) {
  const auto parsed = parse_duration(text, limits, "TIMEOUT");
  if (parsed) {
    ADD_FAILURE() << "accepted: " << text << " as " << parsed->count();
    return {};
  }
  EXPECT_EQ(parsed.error().code, Errc::bad_argument);
  EXPECT_TRUE(parsed.error().text.starts_with("TIMEOUT \"")) << parsed.error().text;
  EXPECT_FALSE(parsed.error().text.contains('\n'));
  return parsed.error().text;
}

TEST(ParseDuration, ReadsSecondsWithoutAUnit) {
  EXPECT_EQ(ms_of("30"), 30'000);
  EXPECT_EQ(ms_of("2.5"), 2'500);
  EXPECT_EQ(ms_of("0"), 0);
  EXPECT_EQ(ms_of("0.0"), 0);
  EXPECT_EQ(ms_of(".5"), 500);
  EXPECT_EQ(ms_of("007"), 7'000);
}

TEST(ParseDuration, ReadsEveryUnit) {
  EXPECT_EQ(ms_of("500ms"), 500);
  EXPECT_EQ(ms_of("30s"), 30'000);
  EXPECT_EQ(ms_of("2m"), 120'000);
  EXPECT_EQ(ms_of("1h"), 3'600'000);
  EXPECT_EQ(ms_of("1d"), 86'400'000);
  EXPECT_EQ(ms_of("1.5h"), 5'400'000);
  EXPECT_EQ(ms_of("0.25d"), 21'600'000);
}

TEST(ParseDuration, RoundsToTheNearestMillisecond) {
  EXPECT_EQ(ms_of("0.0006"), 1);
  EXPECT_EQ(ms_of("1.0004"), 1'000);
  EXPECT_EQ(ms_of("0.1" + std::string(5000, '0')), 100);
  EXPECT_EQ(ms_of("1.99999999999999999999999"), 2'000);
}

TEST(ParseDuration, RefusesWhatWouldSilentlyBecomeZero) {
  EXPECT_TRUE(refusal("0.0004").contains("shorter than a millisecond"));
  EXPECT_TRUE(refusal("0.4ms").contains("shorter than a millisecond"));
  EXPECT_TRUE(refusal("0." + std::string(50, '0') + "1").contains("shorter than a millisecond"));
}

TEST(ParseDuration, RefusesWhatIsNoPlainDecimal) {
  for (const char* text :
       {"",     ".",   "5.",   "s",   "nan",  "NaN",   "inf", "infinity", "0x10",
        "1e3",  "-1",  "+1",   " 1",  "1 ",   "1 s",   "1\n", "1,5",      "1.2.3",
        "1..2", "5.s", "1S",   "1M",  "1sec", "1m30s", "--1", "1_000",    "\x80",
        "1min", "ms",  "1mss", "1 0", "-0.5", "1w",    "1us", "0b11",     "٣"}) {
    EXPECT_TRUE(refusal(text).contains("not a duration")) << text;
  }
  EXPECT_TRUE(refusal(std::string_view("1\0", 2)).contains("\\x00"));
}

TEST(ParseDuration, RefusesWhatDoesNotFit31Bits) {
  EXPECT_EQ(ms_of("2147483647ms"), 2'147'483'647);
  EXPECT_EQ(ms_of("2147483.647"), 2'147'483'647);
  EXPECT_TRUE(refusal("2147483648ms").contains("too long"));
  EXPECT_TRUE(refusal("2147483647.6ms").contains("too long"));
  EXPECT_TRUE(refusal("25d").contains("too long"));
  for (const char* unit : {"", "ms", "s", "m", "h", "d"}) {
    EXPECT_TRUE(refusal("18446744073709551616" + std::string(unit)).contains("too long")) << unit;
    EXPECT_TRUE(refusal("9223372036854775807.9" + std::string(unit)).contains("too long")) << unit;
    EXPECT_TRUE(refusal(std::string(100'000, '9') + unit).contains("too long")) << unit;
  }
}

TEST(ParseDuration, NamesTheLimitThatIsBroken) {
  const DurationLimits limits{.min = milliseconds(1000), .max = milliseconds(86'400'000)};
  EXPECT_TRUE(parse_duration("1", limits, "T"));
  EXPECT_TRUE(parse_duration("1d", limits, "T"));
  EXPECT_TRUE(refusal("0", limits).contains("too short; at least 1 s"));
  EXPECT_TRUE(refusal("999ms", limits).contains("too short; at least 1 s"));
  EXPECT_TRUE(refusal("86400.001", limits).contains("too long; at most 1 d"));
}

TEST(DurationText, IsWhatPeopleWouldSay) {
  EXPECT_EQ(duration_text(milliseconds(0)), "0 s");
  EXPECT_EQ(duration_text(milliseconds(1)), "1 ms");
  EXPECT_EQ(duration_text(milliseconds(500)), "500 ms");
  EXPECT_EQ(duration_text(milliseconds(1000)), "1 s");
  EXPECT_EQ(duration_text(milliseconds(2500)), "2.5 s");
  EXPECT_EQ(duration_text(milliseconds(1001)), "1.001 s");
  EXPECT_EQ(duration_text(milliseconds(30'000)), "30 s");
  EXPECT_EQ(duration_text(milliseconds(60'000)), "1 min");
  EXPECT_EQ(duration_text(milliseconds(90'000)), "90 s");
  EXPECT_EQ(duration_text(milliseconds(120'000)), "2 min");
  EXPECT_EQ(duration_text(milliseconds(125'500)), "2 min 5.5 s");
  EXPECT_EQ(duration_text(milliseconds(5'400'000)), "1 h 30 min");
  EXPECT_EQ(duration_text(milliseconds(86'400'000)), "1 d");
  EXPECT_EQ(duration_text(kDurationMax), "24 d 20 h 31 min 23.647 s");
  EXPECT_EQ(duration_text(milliseconds(-2500)), "-2.5 s");
  EXPECT_EQ(duration_text(milliseconds(-120'000)), "-2 min");
  EXPECT_TRUE(duration_text(milliseconds::min()).starts_with("-"));
}

}  // namespace
}  // namespace dexlock
