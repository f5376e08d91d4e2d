#include "server/store_turns.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "scratch_directory.hpp"
#include "store/embedded_store.hpp"

namespace dexlock {
namespace {

using AllSaid = std::map<ConnectionId, Said>;

constexpr ConnectionId kWatcher = 1;
constexpr ConnectionId kChanger = 2;

// Over a store of its own, which is the only one of its group.
class StoreTurnsTest : public ::testing::Test {
 protected:
  void start(const StoreTurns::Limits& limits, StoreTurns::Logs logs = {}) {
    auto store = EmbeddedStore::open({.path = scratch_.path() / "store"});
    ASSERT_TRUE(store) << store.error().text;
    where_ = Where{"g1", (*store)->incarnation(), Epoch{1}};
    turns_.emplace(scratch_.path() / "store", *store, limits, logs);
    told_after({asked(kChanger, {1, ProposeGroup{"g1", Epoch{1}, {where_.incarnation}}}),
                asked(kChanger, {2, ActivateGroup{"g1", Epoch{1}}})});
  }

  // What is told of these jobs, which make one turn.
  AllSaid told_after(std::vector<Job> jobs) { return turns_->take(std::move(jobs)).said; }

  static Job asked(ConnectionId connection, NumberedRequest request) {
    return {connection, std::move(request)};
  }

  Job watch(const std::string& key, std::uint32_t number) const {
    return asked(kWatcher, {number, Watch{where_, key, ClientId{"w"}}});
  }

  // A change to free, of which all that watch are told.
  Job change(const std::string& key, std::uint32_t round) const {
    Record freed;
    freed.count = round;
    freed.op = OpId{"op" + std::to_string(round)};
    return asked(
        kChanger,
        {round, KeyRequest{where_, key,
                           Accept{.ballot = {1, round, {7, 7}, 0}, .value = std::move(freed)}}});
  }

  ScratchDirectory scratch_;
  Where where_;
  std::optional<StoreTurns> turns_;
};

TEST_F(StoreTurnsTest, TellsWhoWatchesOfAChange) {
  start({.watches = 10, .watches_of_one = 10, .news_bytes = 100'000});
  AllSaid all = told_after({watch("job", 5)});
  EXPECT_TRUE(all[kWatcher].text.starts_with("5 state ")) << all[kWatcher].text;
  all = told_after({change("job", 1)});
  EXPECT_TRUE(all[kChanger].text.starts_with("1 accepted ")) << all[kChanger].text;
  EXPECT_TRUE(all[kWatcher].news.starts_with("5 state ")) << all[kWatcher].news;
}

TEST_F(StoreTurnsTest, NoWatchOutlivesItsConnectionInWhateverOrderBothCame) {
  start({.watches = 1, .watches_of_one = 1, .news_bytes = 100'000});
  const Job gone{kWatcher, Gone{}};
  for (const std::vector<Job>& batch :
       {std::vector{watch("job", 5), gone}, std::vector{gone, watch("job", 5)}}) {
    told_after(batch);
    EXPECT_FALSE(told_after({change("job", 1)}).contains(kWatcher));
  }
  told_after({watch("job", 5)});  // there is room again
  EXPECT_TRUE(told_after({change("job", 2)}).contains(kWatcher));
}

TEST_F(StoreTurnsTest, ReportsWhatATurnWasAndTheLinesThatAreWished) {
  start({.watches = 1, .watches_of_one = 1, .news_bytes = 1}, {.changes = true, .requests = true});
  Done done = turns_->take({watch("job", 5), change("job", 1), change("other", 1)});
  EXPECT_EQ(done.requests, (RequestCounts{{{"watch", "state"}, 1}, {{"accept", "accepted"}, 2}}));
  ASSERT_EQ(done.transactions.size(), 1U);
  EXPECT_EQ(done.transactions.front().changes, 2U);
  EXPECT_FALSE(done.transactions.front().failed);
  EXPECT_EQ(done.watches, 1U);
  ASSERT_EQ(done.log.size(), 3U) << "no holder has changed";
  EXPECT_EQ(done.log[0], "request verb=watch lock=job outcome=state connection=1");

  done = turns_->take({{0, Probe{}}, {0, CountSlice{"", 1}}});
  ASSERT_TRUE(done.probed && *done.probed && done.counted && *done.counted);
  EXPECT_EQ((*done.counted)->records, 1U);
  EXPECT_EQ((*done.counted)->next, "job");
  done = turns_->take({{0, CountSlice{"job", 5}}});
  EXPECT_EQ((*done.counted)->records, 1U);
  EXPECT_FALSE((*done.counted)->next);
  std::filesystem::remove_all(scratch_.path() / "store");
  done = turns_->take({change("job", 2), {0, Probe{}}});
  EXPECT_EQ(done.transactions.at(0).failed->code, Errc::store_gone);
  EXPECT_EQ(done.probed->error().code, Errc::store_gone);
}

TEST_F(StoreTurnsTest, NewsOfOneTurnHaveALimit) {
  constexpr std::size_t kNewsBytes = 1000;
  constexpr std::uint32_t kLocks = 40;
  start({.watches = kLocks, .watches_of_one = kLocks, .news_bytes = kNewsBytes});
  std::vector<Job> watches;
  std::vector<Job> changes;
  for (std::uint32_t i = 1; i <= kLocks; ++i) {
    watches.push_back(watch("job/" + std::to_string(i), i));
    changes.push_back(change("job/" + std::to_string(i), i));
  }
  told_after(std::move(watches));
  AllSaid all = told_after(std::move(changes));
  EXPECT_EQ(all[kChanger].replies, kLocks);
  const std::string& news = all[kWatcher].news;
  EXPECT_GE(news.size(), kNewsBytes);
  const std::size_t last_line = news.size() - news.rfind('\n', news.size() - 2) - 1;
  EXPECT_LT(news.size() - last_line, kNewsBytes) << "no line begins beyond the limit";
}

}  // namespace
}  // namespace dexlock
