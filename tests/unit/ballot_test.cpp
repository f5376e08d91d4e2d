#include "register/ballot.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

constexpr Ballot ballot(std::uint32_t round, ProposerId proposer, std::uint32_t fast = 0) {
  return Ballot{.epoch = 1, .round = round, .proposer = proposer, .fast = fast};
}

// Protocol 10, item 10: (counter, id) compare as numbers, not as text.
TEST(Ballot, ComparesNumerically) {
  EXPECT_LT(ballot(9, {1, 1}), ballot(10, {1, 1}));
  EXPECT_LT(ballot(10, {9, 1}), ballot(10, {10, 1}));
  EXPECT_LT(ballot(10, {9, 9}), ballot(10, {9, 10}));
  EXPECT_LT(ballot(10, {9, 10}), ballot(11, {1, 1}));
}

// Protocol 7.4, T34: rounds that restart in a new epoch must not lose against the old epoch's.
TEST(Ballot, OfALaterEpochIsAboveAllOfAnEarlierOne) {
  EXPECT_LT((Ballot{1, kRoundMax, {7, 7}, 1}), zero_ballot(Epoch{2}));
}

TEST(Ballot, IsFollowedImmediatelyByItsFastChild) {
  const Ballot parent = ballot(5, {3, 4});
  const Ballot child = ballot(5, {3, 4}, 1);
  EXPECT_LT(parent, child);
  for (const Ballot& other : {ballot(5, {3, 3}, 1), ballot(5, {3, 5}), ballot(4, {9, 9}, 1),
                              ballot(6, {0, 0}), ballot(5, {2, 9}), ballot(5, {4, 0})}) {
    EXPECT_FALSE(parent < other && other < child);
  }
}

TEST(Ballot, ZeroIsBelowEveryBallotThatAProposerMakes) {
  EXPECT_LT(zero_ballot(Epoch{1}), ballot(0, {0, 1}));
  EXPECT_LT(zero_ballot(Epoch{1}), ballot(1, {0, 0}));
}

TEST(Ballot, ReadsBackItsText) {
  for (const Ballot& b : {zero_ballot(Epoch{1}), ballot(7, {11, 22}, 1),
                          Ballot{2147483647, kRoundMax, {2147483647, 2147483647}, 1}}) {
    EXPECT_EQ(parse_ballot(ballot_text(b)), b);
  }
  EXPECT_EQ(ballot_text(ballot(7, {11, 22}, 1)), "1.7.11.22.1");
}

// T32: numbers a shell must compare stay below 2^31.
TEST(Ballot, RefusesTextsThatAreNoneOfItsOwn) {
  for (const std::string_view bad :
       {"", ".", "1.2.3.4", "1.2.3.4.5.6", "1.2.3.4.2", "0.2.3.4.0", "1.2147483648.3.4.0",
        "1.2.2147483648.4.0", "1.2.3.4.0 ", " 1.2.3.4.0", "1.02.3.4.0", "1.-2.3.4.0", "1.+2.3.4.0",
        "1.2.3..0", "1.2.3.4.x", "99999999999999999999.1.1.1.0"}) {
    EXPECT_FALSE(parse_ballot(bad)) << bad;
  }
}

}  // namespace
}  // namespace dexlock
