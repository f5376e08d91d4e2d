#include "lock/quorum.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

// The slow second version: do any two sets of these sizes (and a third) share a server?
bool always_meet(std::size_t servers, std::size_t a, std::size_t b) { return a + b > servers; }

TEST(Quorum, AnyTwoMajoritiesShareAServerForEvenNumbersToo) {
  for (std::size_t n = 1; n <= kServersMax; ++n) {
    EXPECT_TRUE(always_meet(n, majority(n), majority(n))) << n;
    EXPECT_FALSE(always_meet(n, majority(n) - 1, majority(n) - 1)) << n << " could do with less";
  }
}

TEST(Quorum, TwoFastQuorumsAndAMajorityShareAServer) {
  for (std::size_t n = 1; n <= kServersMax; ++n) {
    const auto all_three = [n](std::size_t fast) {
      const std::size_t both_fast = 2 * fast > n ? 2 * fast - n : 0;  // at least that many
      return both_fast + majority(n) > n;
    };
    EXPECT_TRUE(all_three(fast_quorum(n))) << n;
    EXPECT_FALSE(all_three(fast_quorum(n) - 1)) << n << " could do with less";
    EXPECT_LE(fast_quorum(n), n);
    EXPECT_GE(fast_quorum(n), majority(n));
  }
}

// Protocol 2.4: a fast quorum is never a mere majority.
TEST(Quorum, HasTheSizesOfTheProtocol) {
  EXPECT_EQ(fast_quorum(3), 3U);
  EXPECT_EQ(fast_quorum(4), 3U);
  EXPECT_EQ(fast_quorum(5), 4U);
  EXPECT_EQ(fast_quorum(7), 6U);
  EXPECT_EQ(fast_quorum(9), 7U);
  EXPECT_EQ(majority(2), 2U);
  EXPECT_EQ(majority(4), 3U);
}

}  // namespace
}  // namespace dexlock
