#include "client/lease_set.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>

namespace dexlock {
namespace {

using std::chrono::milliseconds;

// A lease that is lost when told.
class ToldLease final : public Lease {
 public:
  ToldLease(std::string name, std::uint64_t token, std::vector<std::string>& released)
      : name_(std::move(name)),
        token_(token),
        released_(released),
        loss_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  void lose(const std::string& why) {
    why_ = why;
    constexpr std::uint64_t kOne = 1;
    EXPECT_EQ(::write(loss_.get(), &kOne, sizeof kOne), 8);
  }

  std::uint64_t token() const override { return token_; }
  std::map<std::string, std::uint64_t> tokens() const override { return {{name_, token_}}; }
  std::chrono::nanoseconds elapsed() const override { return milliseconds(token_); }
  bool holds() const override { return why_.empty(); }
  std::string loss() const override { return why_; }
  int loss_fd() const override { return loss_.get(); }
  Result<void> release(milliseconds limit) override {
    EXPECT_LE(limit, milliseconds(1000));
    released_.push_back(name_);
    return name_ == "b" ? fail(Errc::no_quorum, "b is not confirmed") : Result<void>();
  }

 private:
  std::string name_;
  std::uint64_t token_;
  std::vector<std::string>& released_;
  UniqueFd loss_;
  std::string why_;
};

struct LeaseSetTest : testing::Test {
  std::vector<std::string> released;
  ToldLease* b = nullptr;
  LeaseSet set = make();

  LeaseSet make() {
    std::vector<LeaseSet::Held> held;
    held.push_back({"a", std::make_unique<ToldLease>("a", 7, released)});
    auto second = std::make_unique<ToldLease>("b", 9, released);
    b = second.get();
    held.push_back({"b", std::move(second)});
    held.push_back({"c", std::make_unique<ToldLease>("c", 3, released)});
    return {std::move(held), "c"};
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
}

TEST_F(LeaseSetTest, IsLostWithTheFirstThatIsLost) {
  EXPECT_TRUE(set.holds());
  EXPECT_FALSE(told_of_loss());
  EXPECT_EQ(set.loss(), "");
  b->lose("taken away");
  EXPECT_FALSE(set.holds());
  EXPECT_TRUE(told_of_loss());
  EXPECT_EQ(set.loss(), "b: taken away");
}

TEST_F(LeaseSetTest, ReleasesAllWhateverBecomesOfOne) {
  const auto outcome = set.release(milliseconds(1000));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().text, "b is not confirmed");
  EXPECT_EQ(released, (std::vector<std::string>{"c", "b", "a"}));
}

}  // namespace
}  // namespace dexlock
