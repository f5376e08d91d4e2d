// Changes are pushed by a real etcd of three members: nobody asks for them, whatever becomes of the
// member that is listened to. And heartbeats of many locks are one write.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>

#include "conformance/acceptor_homes.hpp"

namespace dexlock::testing {
namespace {

class EtcdWatches : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::vector<Home> all = homes();
    const auto home = std::ranges::find(all, "etcd", &Home::name);
    ASSERT_NE(home, all.end());
    if (const std::string why = why_skipped(*home); !why.empty()) {
      GTEST_SKIP() << why;
    }
    std::string cluster;
    for (const char* name : {"a", "b", "c"}) {
      members_.push_back(std::make_unique<EtcdMember>(path_of("etcd"), name));
      cluster += (cluster.empty() ? "" : ",") + members_.back()->in_cluster();
    }
    for (const auto& member : members_) {
      member->start(cluster);
      endpoints_.push_back(member->endpoint());
    }
  }

  // Grants the lock; the token. Another try where a member has just gone.
  static FencingToken grant(EtcdClient& client, const std::string& name) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      const Reply seen = client.ask(name, Read{});
      const auto* state = std::get_if<Answer>(&seen);
      if (state == nullptr) {
        continue;
      }
      const Ballot mine = ballot(state->state.promised.round + 1, 1);
      const Reply promise = client.ask(name, Prepare{.ballot = mine});
      const auto* promised = std::get_if<Answer>(&promise);
      if (promised == nullptr || promised->verdict != Verdict::promise) {
        continue;
      }
      const std::uint64_t token = record_of(promised->state).count + 1;
      const Reply reply = client.ask(name, Accept{.ballot = mine, .value = held_by("a", token)});
      if (const auto* accepted = std::get_if<Answer>(&reply);
          accepted != nullptr && accepted->verdict == Verdict::accepted) {
        return {token};
      }
    }
    ADD_FAILURE() << "not granted";
    return {};
  }

  static auto lists(FencingToken token) {
    return [token](const State& state) { return record_of(state).find(token) != nullptr; };
  }

  // The revision then, if `txn` could be run at a member.
  std::int64_t run(const EtcdTxn& txn, std::size_t member = 0) {
    const auto service = make_etcd_service({.endpoints = {endpoints_[member]}}).value();
    std::promise<std::int64_t> revision;
    service->transact(0, txn, std::chrono::seconds(5), [&](const auto& outcome) {
      revision.set_value(outcome ? outcome->revision : 0);
    });
    return revision.get_future().get();
  }

  std::vector<std::unique_ptr<EtcdMember>> members_;
  std::vector<std::string> endpoints_;
};

TEST_F(EtcdWatches, TellOfEachChange) {
  EtcdClient watcher(endpoints_);
  EtcdClient other(endpoints_);
  watcher.watch("x");
  for (int change = 0; change < 5; ++change) {
    EXPECT_TRUE(watcher.hears(lists(grant(other, "x"))));
  }
}

TEST_F(EtcdWatches, GoOnWithAnotherMember) {
  EtcdClient watcher(endpoints_);
  watcher.watch("x");
  EtcdClient other(std::vector{endpoints_[1], endpoints_[2]});
  EXPECT_TRUE(watcher.hears(lists(grant(other, "x"))));
  members_[0]->kill();  // which it listens to, and may have been the leader
  EXPECT_TRUE(watcher.hears(lists(grant(other, "x"))));
  members_[0]->start();
  members_[1]->kill();
  EXPECT_TRUE(watcher.hears(lists(grant(other, "x"))));
}

// A member that is alone with its clients has nothing to tell, and says so.
TEST_F(EtcdWatches, LeaveAMemberThatHasNoLeader) {
  EtcdClient watcher(endpoints_);
  watcher.watch("x");
  EtcdClient other(endpoints_);
  EXPECT_TRUE(watcher.hears(lists(grant(other, "x"))));
  members_[1]->kill();
  members_[2]->kill();
  EXPECT_TRUE(std::holds_alternative<Fault>(other.ask("x", Read{})));
  members_[1]->start();
  members_[2]->start();
  EXPECT_TRUE(watcher.hears(lists(grant(other, "x"))));
}

TEST_F(EtcdWatches, OutliveACompaction) {
  if (path_of("etcdctl").empty()) {
    GTEST_SKIP() << "etcdctl is not installed";
  }
  EtcdClient watcher(endpoints_);
  EtcdClient other(endpoints_);
  watcher.watch("x");
  EXPECT_TRUE(watcher.hears(lists(grant(other, "x"))));
  const EtcdTxn look{.ranges = {{.key = "/test/group"}}};
  const std::string compact = "ETCDCTL_API=3 " + path_of("etcdctl") + " --endpoints " +
                              endpoints_[0] + " compact " + std::to_string(run(look)) +
                              " >/dev/null";
  ASSERT_EQ(std::system(compact.c_str()), 0);
  EXPECT_TRUE(watcher.hears(lists(grant(other, "x"))));
}

TEST_F(EtcdWatches, HeartbeatsOfManyLocksAreOneWrite) {
  constexpr std::size_t kLocks = 60;
  EtcdClient client(endpoints_);
  std::vector<std::pair<std::string, Request>> beats;
  for (std::size_t lock = 0; lock < kLocks; ++lock) {
    const std::string name = "l" + std::to_string(lock);
    beats.emplace_back(name, Heartbeat{grant(client, name), 7, {}});
  }
  const EtcdTxn look{.ranges = {{.key = "/test/group"}}};
  const std::int64_t before = run(look);
  for (const Reply& reply : client.ask_all(beats)) {
    ASSERT_TRUE(std::holds_alternative<Answer>(reply)) << std::get<Fault>(reply).text;
    EXPECT_EQ(std::get<Answer>(reply).verdict, Verdict::beating);
    EXPECT_EQ(std::get<Answer>(reply).state.beats.size(), 1U);
  }
  EXPECT_EQ(run(look), before + 1);
}

}  // namespace
}  // namespace dexlock::testing
