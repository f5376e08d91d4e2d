// Leases as a program has them, on a real store.
#include "dexlock/lease.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <future>
#include <thread>

#include "dexlock/value.hpp"
#include "store_place.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kPatience{60};

LeaseOptions wants(milliseconds timeout = seconds(30)) {
  return LeaseOptions{.name = "job", .timeout = timeout};
}

bool readable(int fd, milliseconds limit) {
  pollfd watched{fd, POLLIN, 0};
  return ::poll(&watched, 1, static_cast<int>(limit.count())) == 1;
}

struct LeaseTest : testing::Test {
  StorePlace place;

  static std::unique_ptr<Lease> held(LeaseOptions options) {
    auto lease = Lease::acquire(std::move(options));
    EXPECT_TRUE(lease) << lease.error().text;
    return lease ? std::move(*lease) : nullptr;
  }
};

TEST_F(LeaseTest, IsHeldByOneAndGivenBackWithTheObject) {
  auto first = held(wants());
  ASSERT_TRUE(first);
  const auto token = first->token();
  auto second = Lease::try_acquire(wants());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::held_by_other);
  first.reset();
  second = Lease::try_acquire(wants());
  ASSERT_TRUE(second) << second.error().text;
  EXPECT_GT((*second)->token(), token);
}

TEST_F(LeaseTest, TellsTheTimeThatIsLeft) {
  const auto lease = held(wants());
  ASSERT_TRUE(lease);
  const auto left = lease->remaining();
  EXPECT_GT(left, seconds(1));
  EXPECT_LE(left, seconds(30));
  EXPECT_TRUE(lease->release(kPatience));
  EXPECT_EQ(lease->remaining(), seconds(0));
}

TEST_F(LeaseTest, IsRefusedWithOptionsThatNoTextHasRoomFor) {
  const auto code = [](LeaseOptions options) {
    const auto lease = Lease::acquire(std::move(options));
    return lease ? std::nullopt : std::optional(lease.error().code);
  };
  EXPECT_EQ(code(wants(milliseconds(0))), Errc::bad_argument);
  EXPECT_EQ(code({.name = "job", .stop_timeout = milliseconds(-1)}), Errc::bad_argument);
  EXPECT_EQ(code({.name = "job", .sharing = {Sharing::Mode::permits, 3, 2}}), Errc::bad_argument);
  EXPECT_EQ(code({.name = "a b"}), Errc::bad_argument);
}

TEST_F(LeaseTest, TellsItsLossOnceByEveryMeans) {
  std::promise<std::string> told;
  Lease* self = nullptr;
  Result<void> from_within;
  std::promise<void> known;
  auto options = wants(milliseconds(500));
  options.on_lost = [&](const std::string& why) {
    known.get_future().wait();
    from_within = self->release(kPatience);
    told.set_value(why);  // throws if it is called again
  };
  const auto lease = held(std::move(options));
  ASSERT_TRUE(lease);
  self = lease.get();
  known.set_value();
  std::stop_callback stops(lease->lost_token(), [&] { EXPECT_FALSE(self->holds()); });
  EXPECT_FALSE(readable(lease->loss_fd(), milliseconds(0)));
  place.lose_store();
  auto why = told.get_future();
  ASSERT_EQ(why.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(why.get(), lease->loss());
  EXPECT_NE(lease->loss(), "");
  EXPECT_TRUE(lease->lost_token().stop_requested());
  EXPECT_TRUE(readable(lease->loss_fd(), kPatience));
  EXPECT_EQ(lease->remaining(), seconds(0));
  ASSERT_FALSE(from_within);
  EXPECT_EQ(from_within.error().code, Errc::bad_argument) << "it would wait for itself";
  EXPECT_EQ(lease->set_value("v", kPatience).error().code, Errc::lease_lost);
}

TEST_F(LeaseTest, TellsNoLossOfWhatWasReleased) {
  auto options = wants(milliseconds(500));
  options.on_lost = [](const std::string& why) { ADD_FAILURE() << why; };
  auto lease = held(std::move(options));
  ASSERT_TRUE(lease);
  const auto token = lease->lost_token();
  EXPECT_TRUE(lease->release(kPatience));
  lease.reset();
  EXPECT_FALSE(token.stop_requested());
}

TEST_F(LeaseTest, StoresAValueThatAnybodyReads) {
  EXPECT_EQ(read_value("job").value_or(StoredValue{.text = "failed"}), std::nullopt);
  const auto lease = held(wants());
  ASSERT_TRUE(lease);
  EXPECT_EQ(*read_value("job"), std::nullopt);
  ASSERT_TRUE(lease->set_value("one; two\n", kPatience));
  ASSERT_TRUE(lease->set_value("three", kPatience));
  EXPECT_EQ(*read_value("job"), (StoredValue{"three", lease->token(), true}));
  EXPECT_TRUE(lease->holds());
  ASSERT_TRUE(lease->release(kPatience));
  EXPECT_EQ(*read_value("job"), (StoredValue{"three", 1, false}));
  EXPECT_EQ(lease->set_value("four", kPatience).error().code, Errc::lease_lost);
  const auto next = held(wants());
  ASSERT_TRUE(next);
  EXPECT_EQ(*read_value("job"), (StoredValue{"three", 1, false})) << "the next has stored none";
}

TEST_F(LeaseTest, RefusesValuesThatItCannotStore) {
  const auto alone = held(wants());
  ASSERT_TRUE(alone);
  EXPECT_EQ(alone->set_value(std::string(2049, 'v'), kPatience).error().code, Errc::bad_argument);
  EXPECT_EQ(alone->set_value(std::string(700, '%'), kPatience).error().code, Errc::bad_argument);
  EXPECT_TRUE(alone->set_value(std::string(2048, 'v'), kPatience));
  const auto shared = held({.name = "other", .sharing = {Sharing::Mode::shared}});
  ASSERT_TRUE(shared);
  EXPECT_EQ(shared->set_value("v", kPatience).error().code, Errc::bad_argument);
}

TEST_F(LeaseTest, SaysThatItDoesNotKnowWhatBecameOfAValue) {
  const auto lease = held(wants(seconds(2)));
  ASSERT_TRUE(lease);
  place.lose_store();
  EXPECT_EQ(lease->set_value("v", milliseconds(1)).error().code, Errc::outcome_unknown);
  EXPECT_EQ(lease->set_value("w", kPatience).error().code, Errc::outcome_unknown);
  EXPECT_FALSE(lease->holds());
}

TEST_F(LeaseTest, ComesToWhereItIsAskedFor) {
  std::promise<std::function<void()>> call;
  Result<std::unique_ptr<Lease>> got = fail(Errc::io, "not yet");
  Lease::async_acquire(
      wants(), [&](std::function<void()> deliver) { call.set_value(std::move(deliver)); },
      [&](Result<std::unique_ptr<Lease>> lease) { got = std::move(lease); });
  auto delivery = call.get_future();
  ASSERT_EQ(delivery.wait_for(kPatience), std::future_status::ready);
  EXPECT_FALSE(got);
  delivery.get()();
  ASSERT_TRUE(got) << got.error().text;
  std::promise<bool> released;
  Lease::async_release(
      std::move(*got), kPatience, [](const auto& at_once) { at_once(); },
      [&](const Result<void>& outcome) { released.set_value(outcome.has_value()); });
  EXPECT_TRUE(released.get_future().get());
  EXPECT_TRUE(Lease::try_acquire(wants()));
}

TEST_F(LeaseTest, ThatIsAwaitedNoLongerSaysSo) {
  const auto first = held(wants());
  ASSERT_TRUE(first);
  std::stop_source stop;
  std::promise<std::optional<Errc>> outcome;
  auto options = wants();
  options.on_wait = [&](const Waiting&) { stop.request_stop(); };
  Lease::async_acquire(
      std::move(options), [](const auto& at_once) { at_once(); },
      [&](const Result<std::unique_ptr<Lease>>& lease) {
        outcome.set_value(lease ? std::nullopt : std::optional(lease.error().code));
      },
      stop.get_token());
  EXPECT_EQ(outcome.get_future().get(), Errc::outcome_unknown);
}

}  // namespace
}  // namespace dexlock
