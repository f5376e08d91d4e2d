#include "client/lease_set.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include "told_lease.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

struct LeaseSetTest : testing::Test {
  std::vector<std::string> released;
  std::vector<std::string> told;
  std::shared_ptr<LossNews> news =
      std::make_shared<LossNews>([this](const std::string& why) { told.push_back(why); });
  ToldLease* b = nullptr;
  ToldLease* c = nullptr;
  LeaseSet set = make();

  LeaseSet make() {
    const auto on_release = [this](const std::string& name, milliseconds limit) {
      EXPECT_LE(limit, milliseconds(1000));
      released.push_back(name);
      return name == "b" ? fail(Errc::no_quorum, "b is not confirmed") : Result<void>();
    };
    std::vector<LeaseSet::Held> held;
    held.push_back({"a", std::make_unique<ToldLease>("a", 7, on_release, news)});
    auto second = std::make_unique<ToldLease>("b", 9, on_release, news);
    b = second.get();
    held.push_back({"b", std::move(second)});
    auto third = std::make_unique<ToldLease>("c", 3, on_release, news);
    c = third.get();
    held.push_back({"c", std::move(third)});
    return {std::move(held), "c", news};
  }
  bool told_of_loss() {
    pollfd watched{set.loss_fd(), POLLIN, 0};
    return ::poll(&watched, 1, 0) == 1;
  }
};

TEST_F(LeaseSetTest, IsAsOldAsItsOldestAndHasTheTokenOfTheFirstNamed) {
  EXPECT_EQ(set.token(), 3U);
  EXPECT_EQ(set.tokens(), (std::map<std::string, std::uint64_t>{{"a", 7}, {"b", 9}, {"c", 3}}));
  EXPECT_EQ(set.elapsed(), milliseconds(9));
  EXPECT_EQ(set.remaining(), milliseconds(1));
  EXPECT_TRUE(set.set_value("x", milliseconds(1000)));
  EXPECT_EQ(c->value, "c=x");
}

TEST_F(LeaseSetTest, IsLostWithTheFirstThatIsLost) {
  EXPECT_TRUE(news->arm());
  EXPECT_TRUE(set.holds());
  EXPECT_FALSE(told_of_loss());
  EXPECT_FALSE(set.lost_token().stop_requested());
  EXPECT_EQ(set.loss(), "");
  b->lose("taken away");
  c->lose("that one as well");
  EXPECT_TRUE(set.lost_token().stop_requested());
  EXPECT_EQ(told, std::vector<std::string>{"taken away"}) << "once";
  EXPECT_FALSE(set.holds());
  EXPECT_TRUE(told_of_loss());
  EXPECT_EQ(set.loss(), "b: taken away");
}

TEST_F(LeaseSetTest, ThatIsLostBeforeItIsHeldTellsNobody) {
  b->lose("taken away");
  EXPECT_FALSE(news->arm());
  c->lose("that one as well");
  EXPECT_TRUE(told.empty());
}

TEST_F(LeaseSetTest, ReleasesAllWhateverBecomesOfOne) {
  const auto outcome = set.release(milliseconds(1000));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().text, "b is not confirmed");
  EXPECT_EQ(released, (std::vector<std::string>{"c", "b", "a"}));
}

}  // namespace
}  // namespace dexlock
