#include "server/job_gathering.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

namespace dexlock {
namespace {

namespace asio = boost::asio;

class JobGatheringTest : public ::testing::Test {
 protected:
  void add_later(ConnectionId id) {
    asio::post(loop_, [this, id] { gathering_->add({id, Greet{}}); });
  }

  asio::io_context loop_{1};
  std::vector<std::size_t> turns_;  // how many jobs each had
  std::optional<JobGathering> gathering_{
      std::in_place, loop_,
      [this](const std::vector<Job>& jobs) { turns_.push_back(jobs.size()); }};
};

TEST_F(JobGatheringTest, AddsUpWhatAllReadyHandlersBring) {
  for (ConnectionId id = 1; id <= 10; ++id) {
    add_later(id);
  }
  loop_.run();
  EXPECT_EQ(turns_, std::vector<std::size_t>{10});
  EXPECT_TRUE(gathering_->empty());
}

// As while a turn waits for the disk: what has arrived by then is for the next one, all of it.
TEST_F(JobGatheringTest, ReadsAllThatLiesInTheSocketsBeforeATurn) {
  constexpr std::size_t kConnections = 200;  // more than the loop asks the system for at once
  std::deque<asio::local::stream_protocol::socket> ends;
  std::array<char, 1> byte{};
  for (std::size_t i = 0; i < kConnections; ++i) {
    auto& mine = ends.emplace_back(loop_);
    auto& theirs = ends.emplace_back(loop_);
    asio::local::connect_pair(mine, theirs);
  }
  for (std::size_t i = 0; i < kConnections; ++i) {
    ends[2 * i].async_read_some(asio::buffer(byte), [this, i](const auto& ec, std::size_t) {
      ASSERT_FALSE(ec);
      gathering_->add({i, Greet{}});
    });
  }
  asio::post(loop_, [&] {
    for (std::size_t i = 0; i < kConnections; ++i) {
      ASSERT_EQ(::write(ends[2 * i + 1].native_handle(), "x", 1), 1);
    }
  });
  loop_.run();
  EXPECT_EQ(turns_, std::vector<std::size_t>{kConnections});
}

TEST_F(JobGatheringTest, DoesNotWaitForMoreThanACommitTakes) {
  std::size_t added = 0;
  std::function<void()> add_one = [&] {
    if (++added <= 3 * EmbeddedStore::kItemsMax) {
      gathering_->add({1, Greet{}});
      asio::post(loop_, add_one);  // there is always one more
    }
  };
  asio::post(loop_, add_one);
  loop_.run();
  ASSERT_GE(turns_.size(), 3U);
  EXPECT_LE(turns_.front(), EmbeddedStore::kItemsMax + 1);
}

TEST_F(JobGatheringTest, TakesNoTurnAfterItsEnd) {
  add_later(1);
  loop_.run_one();
  gathering_.reset();
  loop_.run();
  EXPECT_TRUE(turns_.empty());
}

}  // namespace
}  // namespace dexlock
