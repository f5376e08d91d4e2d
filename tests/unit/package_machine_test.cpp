#include "package/package_machine.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <random>

namespace dexlock {
namespace {

using namespace std::chrono_literals;
using enum PackageState;

using Acts = PackageMachine::Acts;

MachineSettings quick() {
  return {.pace = 2s, .start_timeout = 10s, .migration_threshold = 1, .failure_timeout = 60s};
}

// Up and running with the lock, at 100 s.
PackageMachine a_running_one(const MachineSettings& settings = quick()) {
  PackageMachine machine(settings, 100s);
  EXPECT_EQ(machine.tick(100s), Acts{Act::seek});
  EXPECT_EQ(machine.granted(100s), Acts{Act::probe});
  EXPECT_EQ(machine.probed(Health::up, "", 100s), Acts{});
  EXPECT_EQ(machine.state(), running);
  return machine;
}

TEST(PackageMachine, StartsWhatIsKnownToBeDownAndLooksUntilItIsUp) {
  PackageMachine machine(quick(), 0s);
  EXPECT_EQ(machine.tick(0s), Acts{Act::seek});
  EXPECT_EQ(machine.granted(1s), Acts{Act::probe});
  EXPECT_EQ(machine.state(), unknown);
  EXPECT_EQ(machine.probed(Health::down, "", 1s), Acts{Act::start});
  EXPECT_EQ(machine.started(true, "", 2s), Acts{Act::probe});
  EXPECT_EQ(machine.probed(Health::down, "", 2s), Acts{});
  EXPECT_EQ(machine.tick(*machine.next_time()), Acts{Act::probe});
  EXPECT_EQ(machine.probed(Health::up, "", 3s), Acts{});
  EXPECT_EQ(machine.state(), running);
  EXPECT_EQ(machine.next_time(), Nanoseconds(5s));
}

TEST(PackageMachine, WhatRunsAlreadyIsNotStarted) { EXPECT_TRUE(a_running_one().holds()); }

TEST(PackageMachine, AFailedStartIsStoppedReleasedAndLeftToOthers) {
  PackageMachine machine(quick(), 0s);
  static_cast<void>(machine.tick(0s));
  static_cast<void>(machine.granted(0s));
  static_cast<void>(machine.probed(Health::down, "", 0s));
  EXPECT_EQ(machine.started(false, "no room", 1s), Acts{Act::stop});
  EXPECT_EQ(machine.state(), failing);
  EXPECT_EQ(machine.stopped(true, "", 2s), Acts{Act::release});
  EXPECT_EQ(machine.state(), failed);
  EXPECT_EQ(machine.released(2s), Acts{});
  EXPECT_EQ(machine.state(), standby);
  EXPECT_EQ(machine.error(), "start: no room");
  EXPECT_EQ(machine.next_time(), Nanoseconds(12s));
  EXPECT_EQ(machine.tick(12s), Acts{Act::seek});
}

TEST(PackageMachine, BelowTheThresholdItIsStartedAgainHere) {
  MachineSettings settings = quick();
  settings.migration_threshold = 2;
  PackageMachine machine = a_running_one(settings);
  EXPECT_EQ(machine.tick(102s), Acts{Act::probe});
  EXPECT_EQ(machine.probed(Health::down, "", 102s), Acts{Act::stop});
  EXPECT_EQ(machine.stopped(true, "", 102s), Acts{});
  EXPECT_EQ(machine.state(), failed);
  EXPECT_EQ(machine.tick(*machine.next_time()), Acts{Act::probe});
  EXPECT_EQ(machine.probed(Health::down, "", 104s), Acts{Act::start});
  EXPECT_EQ(machine.started(true, "", 104s), Acts{Act::probe});
  EXPECT_EQ(machine.probed(Health::critical, "", 105s), Acts{Act::stop});
  EXPECT_EQ(machine.stopped(true, "", 105s), Acts{Act::release});
  EXPECT_EQ(machine.failures(), 2);
}

TEST(PackageMachine, StandsBackLongerEachTimeAndForgetsAfterRunningWell) {
  PackageMachine machine(quick(), 0s);
  static_cast<void>(machine.tick(0s));
  Nanoseconds now = 0s;
  for (const Nanoseconds bar :
       {Nanoseconds(10s), Nanoseconds(20s), Nanoseconds(40s), Nanoseconds(60s)}) {
    static_cast<void>(machine.granted(now));
    static_cast<void>(machine.probed(Health::critical, "", now));
    static_cast<void>(machine.stopped(true, "", now));
    static_cast<void>(machine.released(now));
    EXPECT_EQ(machine.next_time(), now + bar);
    now += bar;
    EXPECT_EQ(machine.tick(now), Acts{Act::seek});
  }
  static_cast<void>(machine.granted(now));
  static_cast<void>(machine.probed(Health::up, "", now));
  now += 61s;
  EXPECT_EQ(machine.tick(now), Acts{Act::probe});
  static_cast<void>(machine.probed(Health::up, "", now));
  EXPECT_EQ(machine.error(), "");
  static_cast<void>(machine.tick(now + 2s));
  static_cast<void>(machine.probed(Health::critical, "", now + 2s));
  static_cast<void>(machine.stopped(true, "", now + 2s));
  static_cast<void>(machine.released(now + 2s));
  EXPECT_EQ(machine.next_time(), now + 12s);
}

TEST(PackageMachine, NonsenseIsBorneForAWhile) {
  PackageMachine machine = a_running_one();
  Nanoseconds now = 102s;
  for (int look = 1; look < 3; ++look, now += 2s) {
    EXPECT_EQ(machine.tick(now), Acts{Act::probe});
    EXPECT_EQ(machine.probed(Health::unclear, "status 77", now), Acts{});
    EXPECT_EQ(machine.state(), running);
  }
  EXPECT_EQ(machine.tick(now), Acts{Act::probe});
  EXPECT_EQ(machine.probed(Health::unclear, "status 77", now), Acts{Act::stop});
}

TEST(PackageMachine, AnUnwantedOneIsStoppedAndReleasedAndThenItMayLeave) {
  PackageMachine machine = a_running_one();
  EXPECT_EQ(machine.wish({.leave = true}, 101s), Acts{Act::stop});
  EXPECT_EQ(machine.state(), halting);
  EXPECT_FALSE(machine.may_leave());
  EXPECT_EQ(machine.stopped(true, "", 102s), Acts{Act::release});
  EXPECT_FALSE(machine.may_leave());
  EXPECT_EQ(machine.released(102s), Acts{});
  EXPECT_TRUE(machine.may_leave());
}

TEST(PackageMachine, AStartUnderWayIsEndedByAStop) {
  PackageMachine machine(quick(), 0s);
  static_cast<void>(machine.tick(0s));
  static_cast<void>(machine.granted(0s));
  static_cast<void>(machine.probed(Health::down, "", 0s));
  EXPECT_EQ(machine.wish({.run = false}, 1s), Acts{Act::stop});
  EXPECT_EQ(machine.started(true, "", 2s), Acts{});  // too late
  EXPECT_EQ(machine.stopped(true, "", 2s), Acts{Act::release});
}

TEST(PackageMachine, AStopThatDoesNotWorkGoesUpToTheFenceAndTheLockIsKept) {
  MachineSettings settings = quick();
  settings.can_fence = true;
  PackageMachine machine = a_running_one(settings);
  EXPECT_EQ(machine.wish({.run = false}, 101s), Acts{Act::stop});
  EXPECT_EQ(machine.stopped(false, "x", 102s), Acts{Act::kill});
  EXPECT_EQ(machine.stopped(false, "x", 103s), Acts{Act::kill});
  EXPECT_EQ(machine.stopped(false, "x", 104s), Acts{Act::fence});
  EXPECT_EQ(machine.stopped(false, "x", 105s), Acts{});
  EXPECT_EQ(machine.state(), failed);
  EXPECT_TRUE(machine.holds());
  EXPECT_EQ(machine.tick(*machine.next_time()), Acts{Act::stop});
  EXPECT_EQ(machine.stopped(true, "", 110s), Acts{Act::release});
}

TEST(PackageMachine, ALostLockEndsInAStopAndThenItStandsByAgain) {
  PackageMachine machine = a_running_one();
  EXPECT_EQ(machine.lost("dark", 110s), Acts{});
  EXPECT_EQ(machine.state(), halting);
  EXPECT_EQ(machine.stopped(true, "", 111s), Acts{Act::seek});
  EXPECT_EQ(machine.error(), "dark");
}

TEST(PackageMachine, WhatCannotBeStoppedAfterALossDoesNotSeekTheLock) {
  PackageMachine machine = a_running_one();
  static_cast<void>(machine.lost("dark", 110s));
  EXPECT_EQ(machine.stopped(false, "x", 111s), Acts{Act::kill});
  EXPECT_EQ(machine.stopped(false, "x", 111s), Acts{Act::kill});
  EXPECT_EQ(machine.stopped(false, "x", 111s), Acts{});
  EXPECT_EQ(machine.state(), failed);
  EXPECT_EQ(machine.tick(113s), Acts{Act::stop});
  EXPECT_EQ(machine.stopped(true, "", 113s), Acts{Act::seek});
}

TEST(PackageMachine, MaintenanceLeavesItAloneAndThenLooks) {
  PackageMachine machine = a_running_one();
  EXPECT_EQ(machine.wish({.maintenance = true}, 101s), Acts{});
  EXPECT_EQ(machine.next_time(), std::nullopt);
  EXPECT_EQ(machine.tick(200s), Acts{});
  EXPECT_EQ(machine.wish({}, 200s), Acts{Act::probe});
}

TEST(PackageMachine, AGrantThatCameTooLateIsGivenBackAfterALook) {
  PackageMachine machine(quick(), 0s);
  EXPECT_EQ(machine.tick(0s), Acts{Act::seek});
  EXPECT_EQ(machine.wish({.elsewhere = true}, 1s), Acts{Act::withdraw});
  EXPECT_EQ(machine.granted(1s), Acts{Act::probe});
  EXPECT_EQ(machine.probed(Health::down, "", 1s), Acts{Act::release});
  EXPECT_EQ(machine.released(1s), Acts{});
}

// A package, its lock and its operators, who all do as they like.
class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {
    settings_.can_fence = chance(2);
    settings_.migration_threshold = 1 + static_cast<int>(random_() % 3);
    machine_.emplace(settings_, now_);
  }

  void run(int steps) {
    obey(machine_->tick(now_));
    for (int step = 0; step < steps; ++step) {
      now_ += std::chrono::milliseconds(random_() % 1500);
      happen();
    }
    heal();
  }

 private:
  enum class Answer { granted, released, probed, started, stopped };

  bool chance(unsigned of) { return random_() % of == 0; }

  void happen() {
    if (!due_.empty() && chance(2)) {
      answer();
    } else if (chance(20)) {
      wish_ = {.run = !chance(4), .elsewhere = chance(4), .maintenance = chance(4)};
      obey(machine_->wish(wish_, now_));
    } else if (locked_ && chance(30)) {
      locked_ = false;
      due_.clear();
      obey(machine_->lost("lost", now_));
      due_.push_back(Answer::stopped);
    } else if (chance(30)) {
      up_ = false;  // it has died
    } else if (const auto next = machine_->next_time(); next) {
      now_ = std::max(now_, *next);
      obey(machine_->tick(now_));
    }
  }

  // From here on all works: it must come to run, with the lock.
  void heal() {
    kind_ = true;
    wish_ = {};
    obey(machine_->wish(wish_, now_));
    for (int step = 0; step < 200; ++step) {
      if (!due_.empty()) {
        answer();
      } else if (const auto next = machine_->next_time(); next) {
        now_ = std::max(now_, *next);
        obey(machine_->tick(now_));
      }
    }
    EXPECT_EQ(machine_->state(), running);
    EXPECT_TRUE(locked_ && up_);
  }

  void answer() {
    const Answer what = due_.front();
    due_.pop_front();
    const bool works = kind_ || chance(2);
    switch (what) {
      case Answer::granted:
        locked_ = true;
        return obey(machine_->granted(now_));
      case Answer::released:
        locked_ = false;
        return obey(machine_->released(now_));
      case Answer::started:
        up_ = up_ || works;
        return obey(machine_->started(works, "x", now_));
      case Answer::stopped:
        up_ = up_ && !works;
        known_down_ = works;
        return obey(machine_->stopped(works, "x", now_));
      case Answer::probed: {
        const Health health = works ? (up_ ? Health::up : Health::down)
                                    : (chance(2) ? Health::unclear : Health::critical);
        known_down_ = health == Health::down;
        return obey(machine_->probed(health, "x", now_));
      }
    }
  }

  void obey(const Acts& acts) {
    for (const Act act : acts) {
      switch (act) {
        case Act::seek:
          ASSERT_FALSE(locked_);
          due_.push_back(Answer::granted);
          break;
        case Act::withdraw:
          if (chance(2)) {  // else the grant was under way
            std::erase(due_, Answer::granted);
          }
          break;
        case Act::release:
          ASSERT_TRUE(locked_);
          ASSERT_TRUE(known_down_);
          due_.push_back(Answer::released);
          break;
        case Act::probe:
          known_down_ = false;
          due_.push_back(Answer::probed);
          break;
        case Act::start:
          ASSERT_TRUE(locked_);
          ASSERT_TRUE(known_down_);
          known_down_ = false;
          due_.push_back(Answer::started);
          break;
        case Act::stop:
        case Act::kill:
        case Act::fence:
          std::erase(due_, Answer::started);
          std::erase(due_, Answer::probed);
          due_.push_back(Answer::stopped);
          break;
      }
    }
    ASSERT_LE(std::erase_if(copy(due_), [](Answer what) { return what != Answer::granted; }), 1U);
  }

  static std::deque<Answer>& copy(std::deque<Answer> what) {
    static std::deque<Answer> copied;
    copied = std::move(what);
    return copied;
  }

  std::mt19937_64 random_;
  MachineSettings settings_ = quick();
  Nanoseconds now_{};
  std::optional<PackageMachine> machine_;
  Wish wish_;
  std::deque<Answer> due_;
  bool locked_ = false;
  bool up_ = false;
  bool known_down_ = false;
  bool kind_ = false;
};

TEST(PackageMachine, WhateverHappensItStartsOnlyWithTheLockAndReleasesOnlyWhatIsDown) {
  for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
    SCOPED_TRACE(seed);
    World(seed).run(200);
    if (testing::Test::HasFailure()) {
      return;
    }
  }
}

}  // namespace
}  // namespace dexlock
