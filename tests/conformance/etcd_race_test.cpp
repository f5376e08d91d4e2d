// Several clients at once on one real etcd that is killed and started again: nothing is granted
// twice, and no acknowledged sign of life is overlooked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "conformance/acceptor_homes.hpp"

namespace dexlock::testing {
namespace {

class EtcdRaces : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::vector<Home> all = homes();
    const auto home = std::ranges::find(all, "etcd", &Home::name);
    ASSERT_NE(home, all.end());
    if (const std::string why = why_skipped(*home); !why.empty()) {
      GTEST_SKIP() << why;
    }
    member_.emplace(path_of("etcd"));
  }

  static Ballot above(const State& state, std::uint32_t proposer) {
    return ballot(state.promised.round + 1, proposer);
  }

  std::optional<EtcdMember> member_;
};

// Each client adds one to the count of the record. An outcome that nobody told counts as either.
TEST_F(EtcdRaces, CountExactlyWhileTheServerIsKilled) {
  constexpr std::uint32_t kWorkers = 4;
  constexpr int kEach = 25;
  std::mutex mutex;
  std::multiset<std::uint64_t> counts;
  std::atomic<std::uint64_t> unknown{0};
  std::atomic<std::uint32_t> at_work{kWorkers};
  const std::uint64_t first =
      record_of(EtcdClient(*member_).answer("x", Prepare{.ballot = ballot(1)}).state).count;
  const auto work = [&](std::uint32_t me) {
    EtcdClient client(*member_);
    const auto deadline = std::chrono::steady_clock::now() + 3 * kPatience;
    for (int done = 0; done < kEach;) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << me << " gets no further";
      const Reply seen = client.ask("x", Read{});
      const auto* state = std::get_if<Answer>(&seen);
      if (state == nullptr) {
        continue;  // a read has no effect
      }
      const Ballot mine = above(state->state, me);
      const Reply promise = client.ask("x", Prepare{.ballot = mine});
      const auto* promised = std::get_if<Answer>(&promise);
      if (promised == nullptr || promised->verdict != Verdict::promise) {
        continue;
      }
      const std::uint64_t count = record_of(promised->state).count + 1;
      const Reply reply = client.ask(
          "x", Accept{.ballot = mine, .value = held_by(std::string(1, "abcd"[me - 1]), count)});
      const auto* accepted = std::get_if<Answer>(&reply);
      if (accepted == nullptr) {
        ++unknown;
        ++done;
      } else if (accepted->verdict == Verdict::accepted) {
        const std::scoped_lock lock(mutex);
        counts.insert(count);
        ++done;
      } else {
        EXPECT_EQ(accepted->verdict, Verdict::low);
      }
    }
  };
  std::vector<std::jthread> workers;
  for (std::uint32_t me = 1; me <= kWorkers; ++me) {
    workers.emplace_back([&, me] {
      work(me);
      --at_work;
    });
  }
  const auto counted = [&] {
    const std::scoped_lock lock(mutex);
    return counts.size();
  };
  for (const std::size_t after : {10U, 40U}) {
    while (counted() < after && at_work > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    member_->kill();
    member_->start();
  }
  workers.clear();
  EXPECT_EQ(std::set(counts.begin(), counts.end()).size(), counts.size()) << "granted twice";
  const std::uint64_t last =
      record_of(EtcdClient(*member_).answer("x", Read{.durable = true}).state).count;
  EXPECT_GE(last, first + counts.size());
  EXPECT_LE(last, first + counts.size() + unknown);
}

// Grants lock "x" and frees it again, once; the token, if it was granted for sure.
class TokenWorker {
 public:
  TokenWorker(const EtcdMember& member, std::uint32_t me, std::chrono::seconds idle)
      : client_(member, idle), me_(me) {}

  std::optional<std::uint64_t> take_once() {
    const Reply seen = client_.ask("x", Read{});
    const auto* state = std::get_if<Answer>(&seen);
    if (state == nullptr) {
      return std::nullopt;
    }
    const Ballot mine = ballot(std::max(round_, state->state.promised.round) + 1, me_);
    round_ = mine.round + 1;
    const Reply promise = client_.ask("x", Prepare{.ballot = mine});
    const auto* promised = std::get_if<Answer>(&promise);
    if (promised == nullptr || promised->verdict != Verdict::promise ||
        !record_of(promised->state).is_free()) {
      return std::nullopt;
    }
    const std::uint64_t token = record_of(promised->state).count + 1;
    const std::string name(1, "abcd"[me_ - 1]);
    if (!accepts(mine, held_by(name, token))) {
      return std::nullopt;
    }
    const Ballot next = ballot(round_, me_);
    if (std::holds_alternative<Answer>(client_.ask("x", Prepare{.ballot = next}))) {
      static_cast<void>(accepts(next, Record{.count = token, .op = {"free" + name}}));
    }
    return token;
  }

  bool sees_nothing() {
    const Reply seen = client_.ask("x", Read{});
    const auto* answer = std::get_if<Answer>(&seen);
    return answer != nullptr && !answer->state.value;
  }

 private:
  bool accepts(const Ballot& at, const Record& value) {
    const Reply reply = client_.ask("x", Accept{.ballot = at, .value = value});
    const auto* answer = std::get_if<Answer>(&reply);
    return answer != nullptr && answer->verdict == Verdict::accepted;
  }

  EtcdClient client_;
  std::uint32_t me_;
  std::uint32_t round_ = 0;
};

TEST_F(EtcdRaces, NoTokenComesTwiceWhenAnIdleRecordEndsAsNewcomersCome) {
  constexpr int kRounds = 3;
  constexpr std::chrono::seconds kIdle{1};
  TokenWorker first(*member_, 1, kIdle);
  TokenWorker second(*member_, 2, kIdle);
  std::vector<std::uint64_t> tokens;
  for (int round = 0; round < kRounds; ++round) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    const auto taken = first.take_once();
    ASSERT_TRUE(taken);
    tokens.push_back(*taken);
    while (!first.sees_nothing()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "it does not end";
    }
    std::mutex mutex;
    const auto come = [&](TokenWorker& worker) {
      for (int times = 0; times < 5; ++times) {
        if (const auto token = worker.take_once()) {
          const std::scoped_lock lock(mutex);
          tokens.push_back(*token);
        }
      }
    };
    std::jthread other([&] { come(second); });
    come(first);
    other.join();
    std::ranges::sort(tokens);
    EXPECT_EQ(std::ranges::adjacent_find(tokens), tokens.end());
  }
}

// Not even if all keys of the lock are removed, at any moment.
TEST_F(EtcdRaces, NoTokenComesTwiceWhateverIsRemovedByHand) {
  constexpr std::uint32_t kWorkers = 3;
  constexpr int kRemovals = 200;
  std::mutex mutex;
  std::multiset<std::uint64_t> tokens;
  std::atomic<bool> over{false};
  {
    std::vector<std::jthread> workers;
    for (std::uint32_t me = 1; me <= kWorkers; ++me) {
      workers.emplace_back([&, me] {
        TokenWorker worker(*member_, me, kEtcdIdle);
        while (!over) {
          if (const auto token = worker.take_once()) {
            const std::scoped_lock lock(mutex);
            tokens.insert(*token);
          }
        }
      });
    }
    const auto counted = [&] {
      const std::scoped_lock lock(mutex);
      return tokens.size();
    };
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    const auto wait_for_more = [&](std::size_t than) {
      while (counted() <= than && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      EXPECT_GT(counted(), than);
    };
    wait_for_more(0);
    EtcdTxn txn;
    txn.deletes = {{"/test/lock/x"}, {"/test/beat/x#", "/test/beat/x$"}};
    const auto service = make_etcd_service({.endpoints = {member_->endpoint()}}).value();
    for (int removal = 0; removal < kRemovals; ++removal) {
      std::promise<bool> removed;
      service->transact(0, txn, std::chrono::seconds(5),
                        [&](const auto& outcome) { removed.set_value(outcome.has_value()); });
      EXPECT_TRUE(removed.get_future().get());
      if (removal % 4 == 0) {
        wait_for_more(counted());
      }
    }
    over = true;
  }
  EXPECT_GT(tokens.size(), 40U);
  EXPECT_EQ(std::set(tokens.begin(), tokens.end()).size(), tokens.size()) << "granted twice";
}

// An eviction rests on the heartbeat that was seen: then a higher one was never acknowledged.
TEST_F(EtcdRaces, EvictNobodyWhoseSignOfLifeWasAcknowledged) {
  constexpr std::uint64_t kRounds = 40;
  EtcdClient holder(*member_);
  EtcdClient other(*member_);
  for (std::uint64_t token = 1; token <= kRounds; ++token) {
    const std::string name = "l" + std::to_string(token);
    other.answer(name, Prepare{.ballot = ballot(1)});
    other.answer(name, Accept{.ballot = ballot(1), .value = held_by("a", token)});
    std::uint32_t acknowledged = 0;
    std::jthread beats([&] {
      for (std::uint32_t beat = 1;; ++beat) {
        const Verdict verdict = holder.answer(name, Heartbeat{{token}, beat, ballot(1)}).verdict;
        if (verdict != Verdict::beating) {
          EXPECT_EQ(verdict, Verdict::gone);
          return;
        }
        acknowledged = beat;
      }
    });
    for (std::uint64_t tries = 0;; ++tries) {
      const State seen = other.answer(name, Read{}).state;
      const auto at = seen.beats.find({token});
      const std::uint32_t basis = at == seen.beats.end() ? 0 : at->second;
      const Ballot mine = ballot(2 + static_cast<std::uint32_t>(tries % 50), 2);
      const Prepare evict{.ballot = mine,
                          .intent = Intent::evict,
                          .victim = {token},
                          .beat = basis,
                          .boots = {seen.boot}};
      if (other.answer(name, evict).verdict != Verdict::promise) {
        continue;
      }
      const Accept free{.ballot = mine, .value = Record{.count = token, .op = {"evicted"}}};
      if (other.answer(name, free).verdict == Verdict::accepted) {
        beats.join();
        EXPECT_LE(acknowledged, basis) << name;
        break;
      }
    }
  }
}

}  // namespace
}  // namespace dexlock::testing
