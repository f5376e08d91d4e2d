#include "client/lease_race.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "told_lease.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kPatience{60};

struct LeaseRaceTest : testing::Test {
  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::map<std::string, Error> refused;
  std::set<std::string> held;    // these are waited for
  std::set<std::string> silent;  // without a word
  std::vector<std::string> asked, stopped, released;
  LeaseOptions options;
  std::stop_source stop;

  Result<std::unique_ptr<Lease>> run(const std::vector<std::string>& names) {
    return first_granted(
        options, names,
        [this](const LeaseOptions& one, const std::stop_token& token) { return take(one, token); },
        stop.get_token());
  }

  Result<std::unique_ptr<Lease>> take(const LeaseOptions& one, const std::stop_token& token) {
    std::unique_lock lock(mutex);
    asked.push_back(one.name);
    changed.notify_all();
    if (const auto no = refused.find(one.name); no != refused.end()) {
      return std::unexpected(no->second);
    }
    const auto free = [&] { return !held.contains(one.name); };
    if (!free() && !silent.contains(one.name)) {
      lock.unlock();
      one.on_wait({.why = "held"});
      one.on_wait({.why = "held"});
      lock.lock();
    }
    const std::stop_callback wake(token, [this] { changed.notify_all(); });
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (!free() && !token.stop_requested()) {
      EXPECT_LT(std::chrono::steady_clock::now(), until);
      changed.wait_for(lock, milliseconds(10));
    }
    if (!free()) {
      stopped.push_back(one.name);
      return fail(Errc::outcome_unknown, "stopped");
    }
    return std::make_unique<ToldLease>(one.name, 1, [this](const std::string& name, milliseconds) {
      const std::scoped_lock inner(mutex);
      released.push_back(name);
      return Result<void>();
    });
  }

  static std::string name_of(const Result<std::unique_ptr<Lease>>& lease) {
    return lease ? (*lease)->tokens().begin()->first : lease.error().text;
  }
};

TEST_F(LeaseRaceTest, TakesTheFirstThatIsFreeAndAsksForNoMore) {
  held = {"a"};
  EXPECT_EQ(name_of(run({"a", "b", "c"})), "b");
  EXPECT_EQ(asked, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(stopped, (std::vector<std::string>{"a"}));
  EXPECT_TRUE(released.empty());
}

TEST_F(LeaseRaceTest, AWaitThatIsToldOfAgainIsNoWordOfTheNext) {
  held = {"a"};
  for (int again = 0; again < 50; ++again) {
    asked.clear();
    ASSERT_EQ(name_of(run({"a", "b", "c"})), "b");
    ASSERT_EQ(asked.size(), 2U);
  }
}

TEST_F(LeaseRaceTest, WaitsForAllAtOnceAndTakesWhicheverComesFirst) {
  held = {"a", "b", "c"};
  std::thread others([this] {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, kPatience, [this] { return asked.size() == 3; }));
    held.erase("b");
    changed.notify_all();
  });
  EXPECT_EQ(name_of(run({"a", "b", "c"})), "b");
  others.join();
  EXPECT_EQ(std::set(stopped.begin(), stopped.end()), (std::set<std::string>{"a", "c"}));
}

TEST_F(LeaseRaceTest, GivesASecondOneUpBeforeItReturns) {
  for (int again = 0; again < 50; ++again) {
    asked.clear();
    released.clear();
    held = {"a", "b"};
    std::thread others([this] {
      std::unique_lock lock(mutex);
      EXPECT_TRUE(changed.wait_for(lock, kPatience, [this] { return asked.size() == 2; }));
      held.clear();  // both are granted, whatever is stopped meanwhile
    });
    const auto lease = run({"a", "b"});
    others.join();
    ASSERT_TRUE(lease);
    ASSERT_EQ(released, (std::vector<std::string>{name_of(lease) == "a" ? "b" : "a"}));
  }
}

TEST_F(LeaseRaceTest, OneOfWhichNothingIsHeardHoldsTheNextUpForAMomentOnly) {
  held = silent = {"a"};
  EXPECT_EQ(name_of(run({"a", "b"})), "b");
}

TEST_F(LeaseRaceTest, SaysOfEachThatItIsHeld) {
  refused = {{"a", {Errc::held_by_other, "by x"}}, {"b", {Errc::held_by_other, "by y"}}};
  const auto lease = run({"a", "b"});
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, Errc::held_by_other);
  EXPECT_EQ(lease.error().text, "lock a: by x; lock b: by y");
}

TEST_F(LeaseRaceTest, WhatIsWrongOtherwiseIsSaidFirst) {
  refused = {{"a", {Errc::held_by_other, "by x"}}, {"b", {Errc::bad_config, "no"}}};
  const auto lease = run({"a", "b"});
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, Errc::bad_config);
  EXPECT_EQ(lease.error().text, "lock b: no");
}

TEST_F(LeaseRaceTest, AStopEndsAllWaits) {
  held = {"a", "b"};
  std::thread others([this] {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, kPatience, [this] { return asked.size() == 2; }));
    lock.unlock();
    stop.request_stop();
  });
  const auto lease = run({"a", "b"});
  others.join();
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, Errc::outcome_unknown);
  EXPECT_EQ(stopped.size(), 2U);
}

TEST_F(LeaseRaceTest, WhoIsStoppedBeforeItBeginsIsToldSo) {
  held = {"a", "b"};
  stop.request_stop();
  const auto lease = run({"a", "b"});
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, Errc::outcome_unknown);
}

TEST_F(LeaseRaceTest, SaysWhyItWaitsOnlyWhenThatIsNew) {
  std::vector<std::string> told;
  options.on_wait = [&](const Waiting& waiting) { told.push_back(waiting.why); };
  held = {"a", "b"};
  EXPECT_EQ(name_of(run({"a", "b", "c"})), "c");
  EXPECT_EQ(told, (std::vector<std::string>{"lock a: held", "lock b: held"}));
}

TEST(LeaseAcquireAny, RefusesWhatIsNoPool) {
  for (const std::vector<std::string>& names :
       {std::vector<std::string>{}, {"a", "b", "a"}, {"a", "no name"}}) {
    const auto lease = Lease::acquire_any({}, names);
    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code, Errc::bad_argument);
  }
}

}  // namespace
}  // namespace dexlock
