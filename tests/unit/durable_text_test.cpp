#include "wire/durable_text.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "wire_samples.hpp"

namespace dexlock {
namespace {

constexpr int kRuns = 500;
constexpr int kDamagesPerRun = 20;
constexpr std::string_view kAbsent = "1;p=1.0.0.0.0;f=1.0.0.0.0;a=1.0.0.0.0;s=open;v=-";

TEST(DurableText, OfAnAbsentRecordIsShort) {
  EXPECT_EQ(durable_text(absent_record(Epoch{1})), kAbsent);
  EXPECT_EQ(parse_durable(kAbsent), absent_record(Epoch{1}));
}

TEST(DurableText, ShowsTheRecordAtTheEnd) {
  const Durable durable{.promised = {1, 8, {3, 4}, 0},
                        .fence = {1, 2, {3, 4}, 0},
                        .accepted = {1, 7, {3, 4}, 1},
                        .open = false,
                        .copied = true,
                        .value = Record{.count = 5, .op = {"op1"}}};
  EXPECT_EQ(durable_text(durable),
            "1;p=1.8.3.4.0;f=1.2.3.4.0;a=1.7.3.4.1;s=closed.copied;v=1;n=5;o=op1");
}

TEST(DurableText, ReadsBackWhatItWrote) {
  WireSamples samples(1);
  for (int i = 0; i < kRuns; ++i) {
    const Durable durable = samples.durable();
    const std::string text = durable_text(durable);
    ASSERT_EQ(parse_durable(text), durable) << text;
    EXPECT_EQ(text.find_first_of("~^ \\\"'"), std::string::npos) << text;
  }
}

TEST(DurableText, OfTheLargestStateHasItsLargestSize) {
  const Durable durable{.promised = largest_ballot(),
                        .fence = largest_ballot(),
                        .accepted = largest_ballot(),
                        .open = false,
                        .copied = true,
                        .value = largest_record()};
  ASSERT_EQ(record_text(*durable.value).size(), kRecordBytesMax);
  EXPECT_LE(durable_text(durable).size(), kDurableBytesMax);
  EXPECT_GE(durable_text(durable).size() + 16, kDurableBytesMax);
  EXPECT_EQ(parse_durable(durable_text(durable)), durable);
}

TEST(DurableText, IsRefusedWhereItContradictsItself) {
  const std::string record = "1;n=1;o=a;h=1:c:o:x:1:9:0:0:0:own:w";
  const std::string ballots = "1;p=1.5.1.1.0;f=1.0.0.0.0;a=1.5.1.1.0;";
  EXPECT_TRUE(parse_durable(ballots + "s=closed;v=" + record));
  EXPECT_TRUE(parse_durable(ballots + "s=open;v=1;n=1;o=a"));
  EXPECT_FALSE(parse_durable(ballots + "s=open;v=" + record));  // open although it is held
  EXPECT_FALSE(parse_durable(ballots + "s=closed;v=-"));        // accepted, and yet no value
  EXPECT_FALSE(parse_durable("1;p=1.4.1.1.0;f=1.0.0.0.0;a=1.5.1.1.0;s=closed;v=" + record));
  EXPECT_FALSE(parse_durable("1;p=1.5.1.1.0;f=1.6.0.0.0;a=1.5.1.1.0;s=closed;v=" + record));
  EXPECT_FALSE(parse_durable("1;p=1.0.0.0.0;f=1.0.0.0.0;a=0.0.0.0.0;s=open;v=-"));
}

TEST(DurableText, IsRefusedWhereItIsWrittenDifferently) {
  for (const char* text : {"",
                           "1",
                           "1;",
                           ";",
                           "2;p=1.0.0.0.0;f=1.0.0.0.0;a=1.0.0.0.0;s=open;v=-",
                           "11;p=1.0.0.0.0;f=1.0.0.0.0;a=1.0.0.0.0;s=open;v=-",
                           "1;f=1.0.0.0.0;p=1.0.0.0.0;a=1.0.0.0.0;s=open;v=-",
                           "1;p=1.0.0.0.0;p=1.0.0.0.0;f=1.0.0.0.0;a=1.0.0.0.0;s=open;v=-",
                           "1;p=1.0.0.0.0;f=1.0.0.0.0;a=1.0.0.0.0;s=;v=-",
                           "1;p=1.0.0.0.0;f=1.0.0.0.0;a=1.0.0.0.0;s=open.copied.copied;v=-",
                           "1;p=1.0.0.0.0;f=1.0.0.0.0;a=1.0.0.0.0;s=.copied;v=-",
                           "1;p=1.0.0.0.0;f=1.0.0.0.0;a=1.0.0.0.0;s=open;v=",
                           "1;p=1.0.0.0.0;f=1.0.0.0.0;a=1.0.0.0.0;s=open;v=-;",
                           "1;p=1.0.0.0.0;f=1.0.0.0.0;a=1.0.0.0.0;s=open",
                           "1;p=1.2147483648.0.0.0;f=1.0.0.0.0;a=1.0.0.0.0;s=open;v=-",
                           "1;p=01.0.0.0.0;f=1.0.0.0.0;a=1.0.0.0.0;s=open;v=-",
                           "1;p=1.0.0.0.2;f=1.0.0.0.0;a=1.0.0.0.0;s=open;v=-",
                           "1;p=1.9.0.0.0;f=1.0.0.0.0;a=1.9.0.0.0;s=open;v=1;n=1;o=a;z=~",
                           "1;p=1.9.0.0.0;f=1.0.0.0.0;a=1.9.0.0.0;s=open;v=1;n=1;o=a;z=a^b",
                           "1;p=1.9.0.0.0;f=1.0.0.0.0;a=1.9.0.0.0;s=open;v=1;n=1;o=a;note=%41"}) {
    EXPECT_FALSE(parse_durable(text)) << text;
  }
  EXPECT_FALSE(parse_durable(std::string(kAbsent) + '\0'));
  EXPECT_FALSE(parse_durable(std::string(kAbsent) + '\n'));
  EXPECT_FALSE(parse_durable(std::string(1'000'000, ';')));
  EXPECT_FALSE(parse_durable(std::string(1'000'000, '1')));
}

TEST(DurableText, TruncatedIsRefusedOrAnotherCompleteText) {
  WireSamples samples(2);
  for (int i = 0; i < 20; ++i) {
    const std::string text = durable_text(samples.durable());
    for (std::size_t bytes = 0; bytes < text.size(); ++bytes) {
      const auto parsed = parse_durable(std::string_view(text).substr(0, bytes));
      if (parsed) {  // a later, optional field is gone as a whole, or a last number is shorter
        ASSERT_EQ(durable_text(*parsed), text.substr(0, bytes));
      }
    }
  }
}

TEST(DurableText, DamagedIsRefusedOrCanonical) {
  WireSamples samples(3);
  int accepted = 0;
  for (int i = 0; i < kRuns; ++i) {
    const std::string text = durable_text(samples.durable());
    for (int n = 0; n < kDamagesPerRun; ++n) {
      const std::string damaged = samples.damaged(text);
      if (const auto parsed = parse_durable(damaged)) {
        ++accepted;
        ASSERT_EQ(durable_text(*parsed), damaged);
        ASSERT_LE(parsed->accepted, parsed->promised);
        ASSERT_LE(parsed->fence, parsed->promised);
      }
    }
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, kRuns * kDamagesPerRun / 2);
}

void expect_same(const Soft& a, const Soft& b) {
  EXPECT_EQ(a.beats, b.beats);
  EXPECT_EQ(a.promised, b.promised);
  ASSERT_EQ(a.tickets.size(), b.tickets.size());
  for (std::size_t i = 0; i < a.tickets.size(); ++i) {
    EXPECT_EQ(ticket_text(a.tickets[i]), ticket_text(b.tickets[i]));
  }
}

TEST(SoftText, OfNothingIsShort) {
  EXPECT_EQ(soft_text(Soft{}), "1;b=-;t=-");
  ASSERT_TRUE(parse_soft("1;b=-;t=-"));
  expect_same(*parse_soft("1;b=-;t=-"), Soft{});
}

TEST(SoftText, ShowsAnUnsyncedPromise) {
  const Soft soft{.promised = Ballot{1, 8, {3, 4}, 0}};
  EXPECT_EQ(soft_text(soft), "1;b=-;p=1.8.3.4.0;t=-");
  const auto parsed = parse_soft(soft_text(soft));
  ASSERT_TRUE(parsed);
  expect_same(*parsed, soft);
}

TEST(SoftText, ReadsBackWhatItWrote) {
  WireSamples samples(4);
  for (int i = 0; i < kRuns; ++i) {
    const Soft soft = samples.soft();
    const auto parsed = parse_soft(soft_text(soft));
    ASSERT_TRUE(parsed) << soft_text(soft);
    expect_same(*parsed, soft);
  }
}

TEST(SoftText, HasRoomForAllThatAnAcceptorKeeps) {
  Soft soft;
  for (std::uint32_t n = 0; n < kBeatsMax; ++n) {
    soft.beats[FencingToken{kTokenMax - n}] = static_cast<std::uint32_t>(kSmallNumberMax);
  }
  WireSamples samples(5);
  for (std::uint32_t n = 0; n < kTicketsPerReplyMax; ++n) {
    soft.tickets.push_back(samples.ticket());
    soft.tickets.back().number = n;
    soft.tickets.back().claim.client.text = "c" + std::to_string(n);
  }
  const auto parsed = parse_soft(soft_text(soft));
  ASSERT_TRUE(parsed);
  expect_same(*parsed, soft);
}

TEST(SoftText, PutsTheSeniorTicketFirst) {
  Soft soft;
  soft.tickets = {Ticket{.number = 9, .claim = {{"a"}}}, Ticket{.number = 2, .claim = {{"b"}}}};
  EXPECT_EQ(soft_text(soft), "1;b=-;t=2:b:x:1:1:0:0:0:0:0:0:0.0:,9:a:x:1:1:0:0:0:0:0:0:0.0:");
}

TEST(SoftText, IsRefusedWhereItIsRepeatedUnorderedOrTooLong) {
  const std::string ticket = ":x:1:1:0:0:0:0:0:0:0.0:w";
  EXPECT_TRUE(parse_soft("1;b=1:0,2:7;t=1:a" + ticket + ",2:b" + ticket));
  for (const std::string& text :
       {std::string(), std::string("1;b=-"), std::string("2;b=-;t=-"), std::string("1;t=-;b=-"),
        std::string("1;b=;t=-"), std::string("1;b=1:0,1:0;t=-"), std::string("1;b=2:0,1:0;t=-"),
        std::string("1;b=0:0;t=-"), std::string("1;b=9223372036854775808:0;t=-"),
        std::string("1;b=1:2147483648;t=-"), std::string("1;b=1;t=-"), std::string("1;b=1:1,;t=-"),
        "1;b=-;t=2:b" + ticket + ",1:a" + ticket, "1;b=-;t=1:a" + ticket + ",2:a" + ticket,
        "1;b=-;t=1:a" + ticket + ",1:a" + ticket, "1;b=-;t=1:a" + ticket + ";",
        std::string("1;b=-;t=-\0", 10)}) {
    EXPECT_FALSE(parse_soft(text)) << text;
  }
  std::string beats = "1:1";
  std::string tickets = "1:c1" + ticket;
  for (std::size_t n = 2; n <= kBeatsMax + 1; ++n) {
    beats += "," + std::to_string(n) + ":1";
    tickets += "," + std::to_string(n) + ":c" + std::to_string(n) + ticket;
  }
  EXPECT_FALSE(parse_soft("1;b=" + beats + ";t=-"));
  EXPECT_FALSE(parse_soft("1;b=-;t=" + tickets));
  EXPECT_FALSE(parse_soft("1;b=" + std::string(1'000'000, ',') + ";t=-"));
}

TEST(SoftText, DamagedIsRefusedOrCanonical) {
  WireSamples samples(6);
  int accepted = 0;
  for (int i = 0; i < kRuns; ++i) {
    const std::string text = soft_text(samples.soft());
    for (int n = 0; n < kDamagesPerRun; ++n) {
      const std::string damaged = samples.damaged(text);
      if (const auto parsed = parse_soft(damaged)) {
        ++accepted;
        ASSERT_EQ(soft_text(*parsed), damaged);
      }
    }
    for (std::size_t bytes = 0; bytes < text.size() && i < 20; ++bytes) {
      const auto parsed = parse_soft(std::string_view(text).substr(0, bytes));
      ASSERT_TRUE(!parsed || soft_text(*parsed) == text.substr(0, bytes));
    }
  }
  EXPECT_GT(accepted, 0);
}

TEST(TicketsText, LeavesOutJuniorsAndNeverASeniorBeforeAJunior) {
  std::vector<Ticket> tickets;
  for (std::uint32_t n = 0; n < 10; ++n) {
    const std::string who(n == 3 ? 100 : 1, 'w');  // the fourth is the one that does not fit
    tickets.push_back(Ticket{.number = n, .claim = {{"c"}}, .who = who});
    tickets.back().claim.client.text += std::to_string(n);
  }
  const auto shown = parse_tickets(tickets_text(tickets, 120));
  ASSERT_TRUE(shown);
  ASSERT_EQ(shown->size(), 3U);
  EXPECT_EQ(shown->back().number, 2U);
  EXPECT_EQ(tickets_text(tickets, 5), "-");
}

}  // namespace
}  // namespace dexlock
