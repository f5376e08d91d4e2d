// The acceptor over etcd, between what it asks and what it is told.
#include "etcd/etcd_acceptor.hpp"

#include <gtest/gtest.h>

#include "wire/durable_text.hpp"

namespace dexlock {
namespace {

constexpr std::uint64_t kCluster = 7;
const EtcdCompare kGroupKey{.key = "/p/group", .revision = 2};
const Record kFree{.count = 4, .op = {"free"}};

Ballot ballot(std::uint32_t round, std::uint32_t proposer) {
  return Ballot{1, round, {proposer, 1}, 0};
}

Record held(std::uint64_t token) {
  Record record{.count = token, .op = {"o" + std::to_string(token)}};
  record.holders.push_back(
      {.token = {token}, .client = {"c"}, .op = {"o"}, .terms = {}, .who = "me"});
  return record;
}

// What a server remembers after that value at that ballot.
std::string text_after(const Ballot& at, const Record& value) {
  Durable durable = absent_record(Epoch{1});
  Soft soft;
  EXPECT_EQ(apply(durable, soft, {"synced"}, Prepare{.ballot = at}).verdict, Verdict::promise);
  EXPECT_EQ(apply(durable, soft, {"synced"}, Accept{.ballot = at, .value = value}).verdict,
            Verdict::accepted);
  return durable_text(durable);
}

EtcdOutcome told(std::int64_t revision, std::vector<EtcdKeyValue> record,
                 std::vector<EtcdKeyValue> beats = {}, bool succeeded = false) {
  return EtcdOutcome{
      .succeeded = succeeded,
      .cluster = kCluster,
      .revision = revision,
      .ranges = {
          std::move(record), std::move(beats), {}, {{kGroupKey.key, "", kGroupKey.revision}}}};
}

class EtcdAcceptorTest : public ::testing::Test {
 protected:
  EtcdAcceptor serve(Request request) {
    return EtcdAcceptor({.where = {"g", "i", Epoch{1}},
                         .prefix = "/p/",
                         .name = "x",
                         .server = "etcd://e:1",
                         .group = kGroupKey,
                         .cluster = kCluster},
                        memory_, std::move(request));
  }

  // A promise on sight of what `seen` tells.
  void promised(const Prepare& prepare, const EtcdOutcome& seen) {
    EtcdAcceptor acceptor = serve(prepare);
    EXPECT_TRUE(acceptor.start().txn->reads());
    const EtcdAcceptor::Output output = acceptor.on_outcome(seen);
    ASSERT_TRUE(output.reply);
    EXPECT_EQ(std::get<Answer>(*output.reply).verdict, Verdict::promise);
  }

  static Verdict verdict(const EtcdAcceptor::Output& output) {
    return std::get<Answer>(output.reply.value()).verdict;
  }

  std::shared_ptr<EtcdMemory> memory_ = std::make_shared<EtcdMemory>();
};

TEST_F(EtcdAcceptorTest, WritesAValueOverTheRecordItPromisedOn) {
  promised({.ballot = ballot(1, 1)}, told(5, {}));
  EtcdAcceptor acceptor = serve(Accept{.ballot = ballot(1, 1), .value = held(1)});
  const auto output = acceptor.start();
  ASSERT_TRUE(output.txn);
  ASSERT_EQ(output.txn->compares.size(), 2U);
  EXPECT_EQ(output.txn->compares[0].key, "/p/group");
  EXPECT_EQ(output.txn->compares[1].key, "/p/lock/x");
  EXPECT_EQ(output.txn->compares[1].revision, 0);
  const std::string text = output.txn->puts.at(0).value;
  EXPECT_EQ(text, text_after(ballot(1, 1), held(1)));
  EXPECT_EQ(verdict(acceptor.on_outcome(told(6, {{"/p/lock/x", text, 6}}, {}, true))),
            Verdict::accepted);
}

TEST_F(EtcdAcceptorTest, RefusesAValueWhoseRecordHasChanged) {
  promised({.ballot = ballot(1, 1)}, told(5, {}));
  EtcdAcceptor acceptor = serve(Accept{.ballot = ballot(1, 1), .value = held(1)});
  EXPECT_TRUE(acceptor.start().txn);
  EXPECT_EQ(
      verdict(acceptor.on_outcome(told(7, {{"/p/lock/x", text_after(ballot(1, 2), held(1)), 7}}))),
      Verdict::low);
}

TEST_F(EtcdAcceptorTest, RecognisesItsOwnValueAfterACallWithoutAnAnswer) {
  promised({.ballot = ballot(1, 1)}, told(5, {}));
  EtcdAcceptor acceptor = serve(Accept{.ballot = ballot(1, 1), .value = held(1)});
  const std::string text = acceptor.start().txn->puts.at(0).value;
  EXPECT_TRUE(acceptor.on_unknown().txn->reads());
  EXPECT_EQ(verdict(acceptor.on_outcome(told(6, {{"/p/lock/x", text, 6}}))), Verdict::accepted);
}

TEST_F(EtcdAcceptorTest, ClaimsNothingAboutAValueThatMayHaveBeenOverwritten) {
  promised({.ballot = ballot(1, 1)}, told(5, {}));
  EtcdAcceptor acceptor = serve(Accept{.ballot = ballot(1, 1), .value = held(1)});
  EXPECT_TRUE(acceptor.start().txn);
  EXPECT_TRUE(acceptor.on_unknown().txn->reads());
  const auto output =
      acceptor.on_outcome(told(9, {{"/p/lock/x", text_after(ballot(2, 2), held(2)), 9}}));
  ASSERT_TRUE(output.reply);
  ASSERT_TRUE(std::holds_alternative<Fault>(*output.reply));
  EXPECT_EQ(std::get<Fault>(*output.reply).kind, FaultKind::unreachable);
}

TEST_F(EtcdAcceptorTest, EvictsOnlyOverTheHeartbeatItSaw) {
  const std::string record = text_after(ballot(1, 1), held(4));
  const EtcdKeyValue at{"/p/lock/x", record, 6};
  promised({.ballot = ballot(2, 2),
            .intent = Intent::evict,
            .victim = {4},
            .beat = 3,
            .boots = {{"synced"}}},
           told(8, {at}, {{"/p/beat/x#4", "3", 8}}));
  EtcdAcceptor acceptor = serve(Accept{.ballot = ballot(2, 2), .value = kFree});
  const auto output = acceptor.start();
  ASSERT_TRUE(output.txn);
  const auto& beat = output.txn->compares.back();
  EXPECT_EQ(beat.key, "/p/beat/x#4");
  EXPECT_EQ(beat.revision, 8);
  EXPECT_EQ(output.txn->deletes, std::vector<std::string>{"/p/beat/x#4"});
  EXPECT_EQ(verdict(acceptor.on_outcome(told(9, {at}, {{"/p/beat/x#4", "4", 9}}))), Verdict::low);
}

// Its first heartbeat may come between the look and the grant to another.
TEST_F(EtcdAcceptorTest, RemovesTheHeartbeatOfWhoeverGoesEvenIfItSawNone) {
  promised({.ballot = ballot(2, 2)},
           told(8, {{"/p/lock/x", text_after(ballot(1, 1), held(4)), 6}}));
  EtcdAcceptor acceptor = serve(Accept{.ballot = ballot(2, 2), .value = kFree});
  EXPECT_EQ(acceptor.start().txn->deletes, std::vector<std::string>{"/p/beat/x#4"});
}

TEST_F(EtcdAcceptorTest, WritesAHeartbeatOnlyBesideTheRecordThatListsIt) {
  const EtcdKeyValue at{"/p/lock/x", text_after(ballot(1, 1), held(4)), 6};
  EtcdAcceptor acceptor = serve(Heartbeat{{4}, 1, ballot(1, 1)});
  EXPECT_TRUE(acceptor.start().txn->reads());
  const auto output = acceptor.on_outcome(told(6, {at}));
  ASSERT_TRUE(output.txn);
  ASSERT_EQ(output.txn->compares.size(), 3U);
  EXPECT_EQ(output.txn->compares[1].revision, 6);
  EXPECT_EQ(output.txn->compares[2].revision, 0);
  const std::string later = text_after(ballot(2, 2), kFree);
  EXPECT_EQ(verdict(acceptor.on_outcome(told(9, {{"/p/lock/x", later, 9}}))), Verdict::gone);
}

TEST_F(EtcdAcceptorTest, RefusesAnotherClusterRemovedKeysAndWhatItDidNotWrite) {
  const auto kind = [&](const EtcdOutcome& outcome) {
    EtcdAcceptor acceptor = serve(Read{});
    EXPECT_TRUE(acceptor.start().txn);
    const auto output = acceptor.on_outcome(outcome);
    return std::get<Fault>(output.reply.value()).kind;
  };
  EtcdOutcome other = told(5, {});
  other.cluster = kCluster + 1;
  EXPECT_EQ(kind(other), FaultKind::not_member);
  EtcdOutcome removed = told(5, {});
  removed.ranges[3].clear();
  EXPECT_EQ(kind(removed), FaultKind::not_member);
  EtcdOutcome made_anew = told(5, {});
  made_anew.ranges[3][0].mod_revision = 4;
  EXPECT_EQ(kind(made_anew), FaultKind::not_member);
  EXPECT_EQ(kind(told(5, {{"/p/lock/x", "garbage", 4}})), FaultKind::corrupt);
  EXPECT_EQ(kind(told(5, {}, {{"/p/beat/x#one", "1", 4}})), FaultKind::corrupt);
  EXPECT_EQ(kind(told(5, {}, {{"/p/beat/x#1", "one", 4}})), FaultKind::corrupt);
}

}  // namespace
}  // namespace dexlock
