// Candidates and observers on a real store.
#include "dexlock/election.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "dexlock/value.hpp"
#include "store_place.hpp"

namespace dexlock {
namespace {

using std::chrono::seconds;

constexpr seconds kPatience{60};

// What an observer was told.
class Told {
 public:
  void add(const std::optional<Leader>& leader) {
    const std::scoped_lock lock(mutex_);
    told_.push_back(leader);
    changed_.notify_all();
  }
  // Waits for `leader` to be the newest.
  bool until(const std::optional<Leader>& leader) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience,
                             [&] { return !told_.empty() && told_.back() == leader; });
  }
  std::vector<std::optional<Leader>> all() {
    const std::scoped_lock lock(mutex_);
    return told_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::optional<Leader>> told_;
};

TEST(ElectionTest, TellsObserversWhoLeadsFromLeaderToLeader) {
  const StorePlace place;
  Told told;
  const auto observer =
      Election::observe("leader", [&](const std::optional<Leader>& leader) { told.add(leader); });
  ASSERT_TRUE(observer) << observer.error().text;
  EXPECT_TRUE(told.until(std::nullopt));
  EXPECT_EQ((*observer)->trouble(), "");
  auto first = Election::campaign({.name = "leader"}, "host1:80");
  ASSERT_TRUE(first) << first.error().text;
  EXPECT_TRUE(told.until(Leader{"host1:80", 1}));
  EXPECT_EQ((*observer)->leader(), (Leader{"host1:80", 1}));
  EXPECT_TRUE((*first)->release(kPatience));
  EXPECT_TRUE(told.until(std::nullopt));
  const auto second = Election::campaign({.name = "leader"}, "host2:80");
  ASSERT_TRUE(second) << second.error().text;
  EXPECT_TRUE(told.until(Leader{"host2:80", 2}));
  const std::optional<Leader> nobody;
  EXPECT_EQ(told.all(), (std::vector<std::optional<Leader>>{nobody, Leader{"host1:80", 1}, nobody,
                                                            Leader{"host2:80", 2}}));
}

// A holder that has stored nothing is not the leader whose value is still there.
TEST(ElectionTest, ShowsNoValueOfALeaderBefore) {
  const StorePlace place;
  ASSERT_TRUE(Election::campaign({.name = "leader"}, "host1:80"));  // and resigns
  const auto lease = Lease::acquire({.name = "leader"});
  ASSERT_TRUE(lease);
  Told told;
  const auto observer =
      Election::observe("leader", [&](const std::optional<Leader>& leader) { told.add(leader); });
  ASSERT_TRUE(observer);
  EXPECT_TRUE(told.until(std::nullopt));
  ASSERT_TRUE((*lease)->set_value("host2:80", kPatience));
  EXPECT_TRUE(told.until(Leader{"host2:80", 2}));
  EXPECT_EQ(told.all().size(), 2U);
}

TEST(ElectionTest, RefusesACandidateBeforeItLeads) {
  const StorePlace place;
  const auto lease = Election::campaign({.name = "leader"}, std::string(3000, 'x'));
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, Errc::bad_argument);
  EXPECT_EQ(*read_value("leader"), std::nullopt);
}

}  // namespace
}  // namespace dexlock
