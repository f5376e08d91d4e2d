#include "sim/linearizability.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "lock/random.hpp"

namespace dexlock::sim {
namespace {

using Kind = RegisterOperation::Kind;
using History = std::vector<TimedOperation>;

constexpr std::optional<int> kNever = std::nullopt;

TimedOperation timed(RegisterOperation operation, int invoked, std::optional<int> answered) {
  return {operation, Nanoseconds(invoked),
          answered ? std::optional(Nanoseconds(*answered)) : std::nullopt};
}

TimedOperation change(std::uint64_t base, std::uint64_t next, int from, std::optional<int> to) {
  return timed({.reads = base, .writes = next}, from, to);
}
TimedOperation read(std::uint64_t value, int from, std::optional<int> to) {
  return change(value, value, from, to);
}
TimedOperation get(std::uint64_t client, std::uint64_t token, int from, std::optional<int> to) {
  return timed({.kind = Kind::get, .writes = token, .client = client}, from, to);
}
TimedOperation end(std::uint64_t client, std::uint64_t token, int from, std::optional<int> to) {
  return timed({.kind = Kind::end, .writes = token, .client = client}, from, to);
}

bool accepted(const History& history) {
  const HistoryVerdict verdict = check_history({}, history);
  EXPECT_NE(verdict.linearizable, Linearizable::gave_up);
  return verdict.linearizable == Linearizable::yes;
}

TEST(Linearizability, AcceptsNothingAndChangesOneAfterTheOther) {
  EXPECT_TRUE(accepted({}));
  EXPECT_TRUE(accepted({change(0, 1, 0, 1), change(1, 2, 2, 3), read(2, 4, 5)}));
}

TEST(Linearizability, AcceptsThatOverlappingOperationsTakeEffectInEitherOrder) {
  EXPECT_TRUE(accepted({change(0, 1, 0, 10), read(0, 1, 2), read(1, 3, 4)}));
  EXPECT_TRUE(accepted({change(0, 1, 0, 10), change(1, 2, 0, 3), read(2, 5, 6)}));
}

TEST(Linearizability, LetsWhatWasGivenUpTakeEffectLaterButNotEarlier) {
  LinearizabilityCheck check({});
  const auto first = check.invoke({.reads = 0, .writes = 1});
  const auto second = check.invoke({.reads = 1, .writes = 2});
  check.give_up(first);
  EXPECT_EQ(check.answer(second), Linearizable::yes);
  const auto third = check.invoke({.reads = 3, .writes = 4});
  EXPECT_EQ(check.answer(third), Linearizable::no);
}

TEST(Linearizability, ManyThatWereGivenUpCostLittle) {
  LinearizabilityCheck check({});
  for (std::uint64_t value = 0; value < 100; ++value) {
    for (int tries = 0; tries < 5; ++tries) {
      check.give_up(check.invoke({.reads = value, .writes = value + 1}));
    }
    if (value % 10 == 9) {
      EXPECT_EQ(check.answer(check.invoke({.reads = value, .writes = value + 1})),
                Linearizable::yes);
    }
  }
  EXPECT_LT(check.tried_most(), 100U);
}

TEST(Linearizability, RejectsAReadThatGoesBack) {
  EXPECT_FALSE(accepted({change(0, 1, 0, 10), read(1, 1, 2), read(0, 3, 4)}));
}

TEST(Linearizability, RejectsAStaleRead) {
  EXPECT_FALSE(accepted({change(0, 1, 0, 1), read(0, 2, 3)}));
}

TEST(Linearizability, RejectsALostUpdate) {
  EXPECT_FALSE(accepted({change(0, 1, 0, 5), change(0, 2, 1, 6)}));
  EXPECT_FALSE(accepted({change(0, 1, 0, 1), change(1, 2, 2, 3), change(1, 3, 2, 9)}));
}

TEST(Linearizability, RejectsAChangeThatIsUndone) {
  EXPECT_FALSE(accepted({change(0, 1, 0, 1), change(1, 2, 2, 3), read(2, 4, 5), read(1, 6, 7)}));
}

TEST(Linearizability, AcceptsThatWhatWasNeverAnsweredTakesEffectLate) {
  EXPECT_TRUE(accepted({change(0, 1, 0, kNever), read(0, 5, 6), read(0, 7, 8), read(1, 90, 91)}));
  EXPECT_TRUE(accepted({change(0, 1, 0, kNever), change(1, 2, 50, 51), read(2, 60, 61)}));
}

TEST(Linearizability, AcceptsThatWhatWasNeverAnsweredNeverTakesEffect) {
  EXPECT_TRUE(accepted({change(0, 1, 0, kNever), change(0, 2, 5, 6), read(2, 7, 8)}));
  EXPECT_TRUE(accepted({change(0, 1, 0, kNever), change(0, 2, 1, kNever), change(2, 3, 9, 10)}));
}

TEST(Linearizability, RejectsThatWhatWasNeverAnsweredTakesEffectBeforeItsInvocation) {
  EXPECT_FALSE(accepted({change(0, 1, 10, kNever), read(1, 5, 6)}));
}

TEST(Linearizability, RejectsThatWhatWasNeverAnsweredTakesEffectTwice) {
  EXPECT_FALSE(accepted({change(0, 1, 0, kNever), change(1, 0, 5, 6), read(1, 7, 8)}));
}

TEST(Linearizability, TakesEqualMomentsAsOverlapping) {
  EXPECT_TRUE(accepted({change(0, 1, 0, 5), read(0, 5, 6)}));
}

TEST(Linearizability, NamesTheAnswerThatNothingExplains) {
  const HistoryVerdict verdict =
      check_history({}, {read(1, 2, 3), change(0, 1, 0, 1), read(0, 4, 5), read(1, 6, 7)});
  EXPECT_EQ(verdict.linearizable, Linearizable::no);
  EXPECT_EQ(verdict.culprit, 2U);
  EXPECT_EQ(verdict.state.value, 1U);
}

TEST(LinearizabilityOfALock, AcceptsHoldersOneAfterTheOther) {
  EXPECT_TRUE(accepted({get(1, 1, 0, 1), get(1, 1, 2, 3), end(1, 1, 4, 9), get(2, 2, 5, 6),
                        end(2, 2, 7, kNever), get(1, 5, 20, 21)}));
}

TEST(LinearizabilityOfALock, RejectsATokenGivenTwice) {
  EXPECT_FALSE(accepted({get(1, 1, 0, 1), end(1, 1, 2, 3), get(2, 1, 4, 5)}));
}

TEST(LinearizabilityOfALock, RejectsATokenThatGoesBack) {
  EXPECT_FALSE(accepted({get(1, 7, 0, 1), end(1, 7, 2, 3), get(2, 6, 4, 5)}));
}

TEST(LinearizabilityOfALock, RejectsTwoHoldersAtOnce) {
  EXPECT_FALSE(accepted({get(1, 1, 0, 1), get(2, 2, 2, 3), end(1, 1, 4, 5)}));
}

TEST(LinearizabilityOfALock, RejectsAReleaseThatIsUndone) {
  EXPECT_FALSE(accepted({get(1, 1, 0, 1), end(1, 1, 2, 3), get(1, 1, 4, 5)}));
}

TEST(LinearizabilityOfALock, AcceptsAReleaseThatComesTooLate) {
  EXPECT_TRUE(
      accepted({get(1, 1, 0, 1), end(1, 1, 2, kNever), get(2, 2, 30, 31), end(1, 1, 40, 41)}));
}

TEST(LinearizabilityOfALock, RejectsAReleaseOfWhatNobodyWasGiven) {
  EXPECT_FALSE(accepted({end(1, 3, 0, 1)}));
}

// The slow twin: every choice of the unanswered, in every order.
bool explained_by_some_order(const History& history) {
  std::vector<std::size_t> order(history.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  const auto before = [&](std::size_t a, std::size_t b) {
    return history[a].answered && *history[a].answered < history[b].invoked;
  };
  const auto legal = [&](std::size_t length) {
    RegisterState state;
    for (std::size_t i = 0; i < length; ++i) {
      for (std::size_t later = i + 1; later < length; ++later) {
        if (before(order[later], order[i])) {
          return false;
        }
      }
      const auto next = after(state, history[order[i]].operation);
      if (!next) {
        return false;
      }
      state = *next;
    }
    return std::all_of(order.begin() + static_cast<std::ptrdiff_t>(length), order.end(),
                       [&](std::size_t i) { return !history[i].answered; });
  };
  do {
    for (std::size_t length = 0; length <= order.size(); ++length) {
      if (legal(length)) {
        return true;
      }
    }
  } while (std::ranges::next_permutation(order).found);
  return false;
}

History random_history(Random& random, bool lock) {
  History history(1 + random.below(6));
  for (TimedOperation& each : history) {
    each.invoked = Nanoseconds(random.below(12));
    if (random.below(4) != 0) {
      each.answered = each.invoked + Nanoseconds(random.below(6));
    }
    each.operation = lock ? RegisterOperation{.kind = random.below(2) == 0 ? Kind::get : Kind::end,
                                              .writes = 1 + random.below(3),
                                              .client = 1 + random.below(2)}
                          : RegisterOperation{.reads = random.below(3), .writes = random.below(3)};
  }
  return history;
}

TEST(Linearizability, AgreesWithTheTrialOfAllOrders) {
  for (const bool lock : {false, true}) {
    std::size_t linearizable = 0;
    constexpr std::uint64_t kHistories = 6000;
    for (std::uint64_t seed = 0; seed < kHistories; ++seed) {
      Random random(seed);
      const History history = random_history(random, lock);
      const bool expected = explained_by_some_order(history);
      linearizable += expected ? 1U : 0U;
      ASSERT_EQ(accepted(history), expected) << "lock " << lock << ", seed " << seed;
    }
    EXPECT_GT(linearizable, kHistories / 20);
    EXPECT_LT(linearizable, kHistories - kHistories / 20);
  }
}

TEST(Linearizability, DecidesLongHistoriesWithManyUnansweredChanges) {
  History history;
  for (int i = 0; i < 2000; ++i) {
    const auto value = static_cast<std::uint64_t>(i);
    history.push_back(change(value, 100'000 + value, 10 * i, kNever));
    history.push_back(change(value, value + 1, 10 * i, 10 * i + 9));
  }
  EXPECT_TRUE(accepted(history));
  history.push_back(read(7, 50'000, 50'001));
  EXPECT_FALSE(accepted(history));
}

TEST(Linearizability, GivesUpWhereTheOrdersAreTooMany) {
  History history;
  for (std::uint64_t i = 1; i <= 40; ++i) {
    history.push_back(get(i, i, 0, 100));
    history.push_back(end(i, i, 0, 100));
  }
  history.push_back(get(99, 1, 0, 50));
  EXPECT_EQ(check_history({}, history).linearizable, Linearizable::gave_up);
}

}  // namespace
}  // namespace dexlock::sim
