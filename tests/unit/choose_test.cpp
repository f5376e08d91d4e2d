#include "register/choose.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "lock/quorum.hpp"

namespace dexlock {
namespace {

Ballot ballot(std::uint32_t round, std::uint32_t fast = 0) {
  return Ballot{.round = round, .proposer = {1, 1}, .fast = fast};
}

Record value(const std::string& op) { return Record{.count = 1, .op = {op}}; }

State voted(const Ballot& accepted, const std::string& op) {
  return State{.promised = ballot(99), .accepted = accepted, .value = value(op)};
}

State copied(State state) {
  state.copied = true;
  return state;
}

TEST(Choose, TakesTheValueOfTheHighestBallot) {
  std::vector<State> promises{voted(ballot(3), "old"), voted(ballot(7), "new"), State{}};
  std::ranges::sort(promises, {}, &State::accepted);
  do {
    EXPECT_EQ(choose(promises, 5), value("new"));
  } while (std::ranges::next_permutation(promises, {}, &State::accepted).found);
}

TEST(Choose, ReadsAnAbsentRecordAsFree) { EXPECT_EQ(choose({State{}, State{}}, 3), Record{}); }

// Protocol 2.4 (ii): among fast votes the only one that can be chosen must win.
TEST(Choose, TakesTheFastValueThatMayHaveBeenChosen) {
  const Ballot fast = ballot(3, 1);
  // N=5, Qf=4: two of three heard and both unheard may have voted a.
  EXPECT_EQ(choose({voted(fast, "b"), voted(fast, "a"), voted(fast, "a")}, 5), value("a"));
  EXPECT_EQ(choose({voted(fast, "a"), voted(fast, "b"), voted(fast, "a")}, 5), value("a"));
  // N=3, Qf=3: two votes heard, none against them.
  EXPECT_EQ(choose({voted(fast, "a"), voted(fast, "a")}, 3), value("a"));
}

// With two of three heard and one vote each, neither can have three.
TEST(Choose, BuildsOnItsOwnFastVoteIfNoneCanBeChosen) {
  const Ballot fast = ballot(3, 1);
  EXPECT_EQ(choose({voted(fast, "a"), voted(fast, "z")}, 3, OpId{"z"}), value("z"));
  EXPECT_EQ(choose({voted(fast, "a"), voted(fast, "z")}, 3), value("a"));
  EXPECT_EQ(choose({voted(fast, "a"), voted(fast, "z"), voted(fast, "a")}, 5, OpId{"z"}),
            value("a"))
      << "which may have four";
}

// Whoever has promised without a vote will never vote: nobody gets three.
TEST(Choose, BuildsOnWhatWasVotedOnIfNoFastValueCanBeChosen) {
  const Ballot fast = ballot(3, 1);
  EXPECT_EQ(choose({voted(ballot(3), "base"), voted(fast, "a")}, 3), value("base"));
  EXPECT_EQ(choose({voted(fast, "a"), voted(ballot(2), "old")}, 3), value("a"))
      << "what it was a vote on is not shown";
}

// The mutant "recovery without counting" loses an acknowledged value at N=5.
TEST(Choose, CountsWhenTheNewestFastVotesAreSplit) {
  const Ballot fast = ballot(3, 1);
  for (const bool first : {true, false}) {
    std::vector<State> promises{voted(fast, "aa"), voted(fast, "zz"), voted(fast, "zz")};
    if (!first) {
      std::ranges::reverse(promises);
    }
    EXPECT_EQ(choose(promises, 5), value("zz")) << "zz may have four votes, aa never";
  }
}

TEST(Choose, TakesTheMostVotedFastValueIfNoneCanBeChosen) {
  const Ballot fast = ballot(3, 1);
  EXPECT_EQ(choose({voted(fast, "b"), voted(fast, "a"), voted(fast, "b"), voted(fast, "a"),
                    voted(ballot(2), "old")},
                   5),
            value("a"))
      << "a tie goes to the smaller operation id";
}

// T9: equal but for the operation is not equal.
TEST(Choose, DoesNotAddUpVotesForValuesOfDifferentClients) {
  const Ballot fast = ballot(3, 1);
  EXPECT_EQ(choose({voted(fast, "b1"), voted(fast, "b2"), voted(fast, "c"), voted(fast, "c")}, 5),
            value("c"));
}

// T10, T11: what was loaded from an earlier epoch was computed by a count already.
TEST(Choose, TakesACopiedFastValueWithoutCountingAgain) {
  const Ballot fast = ballot(3, 1);
  EXPECT_EQ(
      choose({copied(voted(fast, "a")), copied(voted(fast, "a")), voted(ballot(3), "base")}, 5),
      value("a"));
  EXPECT_EQ(choose({voted(ballot(3), "base"), copied(voted(fast, "a")), voted(ballot(2), "x")}, 5),
            value("a"));
}

// T10: a later classic ballot beats any number of fast votes below it.
TEST(Choose, PrefersALaterClassicBallotToFastVotes) {
  EXPECT_EQ(choose({voted(ballot(3, 1), "f"), voted(ballot(3, 1), "f"), voted(ballot(4), "c")}, 5),
            value("c"));
}

// The slow second version: enumerates what may have been chosen. If some value is on a fast quorum
// whatever the unheard servers voted, choose() must return it.
TEST(Choose, NeverLosesAValueThatAFastQuorumVotedFor) {
  for (const std::size_t n : {3U, 4U, 5U, 6U, 7U}) {
    std::size_t worlds = 1;
    for (std::size_t i = 0; i < n; ++i) {
      worlds *= 3;  // each server: voted a, voted b, or not yet
    }
    for (std::size_t world = 0; world < worlds; ++world) {
      std::vector<State> all;
      std::size_t votes_a = 0;
      for (std::size_t i = 0, rest = world; i < n; ++i, rest /= 3) {
        votes_a += rest % 3 == 0 ? 1U : 0U;
        all.push_back(rest % 3 == 2 ? voted(ballot(3), "base")
                                    : voted(ballot(3, 1), rest % 3 == 0 ? "a" : "b"));
      }
      if (votes_a < fast_quorum(n)) {
        continue;
      }
      for (std::uint32_t heard = 0; heard < (1U << n); ++heard) {
        std::vector<State> promises;
        for (std::size_t i = 0; i < n; ++i) {
          if ((heard >> i & 1U) != 0) {
            promises.push_back(all[i]);
          }
        }
        if (promises.size() >= majority(n)) {
          ASSERT_EQ(choose(promises, n), value("a")) << n << ' ' << world << ' ' << heard;
        }
      }
    }
  }
}

TEST(ChooseDeathTest, RefusesLessThanAMajority) {
  EXPECT_DEATH(static_cast<void>(choose({State{}}, 3)), "invariant");
}

}  // namespace
}  // namespace dexlock
