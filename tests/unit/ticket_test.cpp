#include "lock/ticket.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

using std::chrono::milliseconds;

Ticket ticket(std::uint32_t number, const std::string& client, Mode mode = Mode::exclusive,
              std::uint32_t weight = 1, std::uint32_t capacity = 1) {
  return Ticket{.number = number,
                .claim = {{client}, mode, weight, capacity},
                .terms = {milliseconds(30000), milliseconds(5), milliseconds(900), 1000},
                .refresh = 1,
                .ttl = milliseconds(4000),
                .proposer = {6, 5},
                .who = "me@host: 1"};
}

std::vector<std::string> names(const std::vector<Ticket>& tickets) {
  std::vector<std::string> out;
  for (const Ticket& t : tickets) {
    out.push_back(t.claim.client.text);
  }
  return out;
}

using Names = std::vector<std::string>;

TEST(Ticket, IsOrderedByNumberThenClient) {
  EXPECT_TRUE(senior(ticket(9, "b"), ticket(10, "a")));
  EXPECT_TRUE(senior(ticket(9, "a"), ticket(9, "b")));
  EXPECT_FALSE(senior(ticket(9, "a"), ticket(9, "a")));
}

TEST(Ticket, OfSeveralCopiesTheNewestRefreshCounts) {
  Ticket old = ticket(5, "a");
  Ticket renewed = ticket(5, "a");
  renewed.refresh = 7;
  for (const auto& copies :
       {std::vector{old, renewed, ticket(3, "b")}, std::vector{ticket(3, "b"), renewed, old}}) {
    const auto merged = merge_tickets(copies);
    EXPECT_EQ(names(merged), (Names{"b", "a"}));
    EXPECT_EQ(merged[1].refresh, 7U);
  }
}

TEST(Ticket, TheSeniorOneInheritsAFreeLock) {
  EXPECT_EQ(names(heirs(Record{}, {ticket(1, "a"), ticket(2, "b")})), Names{"a"});
  EXPECT_TRUE(heirs(Record{}, {}).empty());
}

// Protocol 5.2, F3: readers behind a waiting writer do not overtake it.
TEST(Ticket, ReadersInheritTogetherButNotPastAWriter) {
  const auto s = Mode::shared;
  EXPECT_EQ(names(heirs(Record{},
                        {ticket(1, "a", s), ticket(2, "b", s), ticket(3, "w"), ticket(4, "c", s)})),
            (Names{"a", "b"}));
  const Record read{.count = 1, .holders = {Holder{.token = {1}, .client = {"r"}, .mode = s}}};
  EXPECT_TRUE(heirs(read, {ticket(3, "w"), ticket(4, "c", s)}).empty());
  EXPECT_EQ(names(heirs(read, {ticket(2, "b", s), ticket(3, "w")})), Names{"b"});
}

TEST(Ticket, SemaphoreWaitersInheritWhileTheyFit) {
  const auto p = Mode::semaphore;
  EXPECT_EQ(names(heirs(Record{}, {ticket(1, "a", p, 2, 4), ticket(2, "b", p, 1, 4),
                                   ticket(3, "c", p, 2, 4), ticket(4, "d", p, 1, 4)})),
            (Names{"a", "b"}))
      << "d would fit, but c is senior";
}

TEST(Ticket, WhoHoldsAlreadyInheritsNothing) {
  const Record read{.count = 1,
                    .holders = {Holder{.token = {1}, .client = {"a"}, .mode = Mode::shared}}};
  EXPECT_EQ(names(heirs(read, {ticket(1, "a", Mode::shared), ticket(2, "b", Mode::shared)})),
            Names{"b"});
}

// T32.
TEST(Ticket, NoMoreInheritThanARecordLists) {
  std::vector<Ticket> waiting;
  for (std::uint32_t i = 0; i < 2 * kHoldersMax; ++i) {
    waiting.push_back(ticket(i, "c" + std::to_string(i), Mode::shared));
  }
  EXPECT_EQ(heirs(Record{}, waiting).size(), kHoldersMax);
}

TEST(Ticket, ReadsBackItsText) {
  for (const Mode mode : {Mode::exclusive, Mode::shared, Mode::semaphore}) {
    const Ticket written = ticket(7, "c", mode, 3, 9);
    const auto read = parse_ticket(ticket_text(written));
    ASSERT_TRUE(read);
    EXPECT_EQ(ticket_text(*read), ticket_text(written));
    EXPECT_EQ(read->claim.mode, mode);
    EXPECT_EQ(read->terms, written.terms);
    EXPECT_EQ(read->proposer, written.proposer);
    EXPECT_EQ(read->who, written.who);
  }
  EXPECT_EQ(ticket_text(ticket(7, "c")), "7:c:x:1:1:1:4000:30000:5:900:1000:6.5:me@host%3A%201");
}

TEST(Ticket, RefusesTextsThatAreNoneOfItsOwn) {
  for (const std::string_view bad :
       {"", ":::::::::::", "7:c:x:1:1:1:4000:30000:5:900:1000",
        "7:c:x:1:1:1:4000:30000:5:900:1000:6.5:w:", "7:c:q:1:1:1:4000:30000:5:900:1000:6.5:w",
        "7:c:xs:1:1:1:4000:30000:5:900:1000:6.5:w", "7:c::1:1:1:4000:30000:5:900:1000:6.5:w",
        "7:C:x:1:1:1:4000:30000:5:900:1000:6.5:w", "7::x:1:1:1:4000:30000:5:900:1000:6.5:w",
        "2147483648:c:x:1:1:1:4000:30000:5:900:1000:6.5:w",
        "7:c:x:1:1:1:4000:30000:5:900:1000000:6.5:w", "7:c:x:1:1:1:4000:30000:5:900:1000:6.5:a b",
        "-7:c:x:1:1:1:4000:30000:5:900:1000:6.5:w", "07:c:x:1:1:1:4000:30000:5:900:1000:6.5:w",
        "7:c:x:1:1:1:4000:30000:5:900:1000:6:w", "7:c:x:1:1:1:4000:30000:5:900:1000:6.5.4:w",
        "7:c:x:1:1:1:4000:30000:5:900:1000:06.5:w",
        "7:c:x:1:1:1:4000:30000:5:900:1000:2147483648.5:w"}) {
    EXPECT_FALSE(parse_ticket(bad)) << bad;
  }
  EXPECT_FALSE(parse_ticket("7:c:x:1:1:1:4000:30000:5:900:1000:6.5:" + std::string(161, 'w')));
}

}  // namespace
}  // namespace dexlock
