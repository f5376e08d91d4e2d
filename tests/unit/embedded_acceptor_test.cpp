// The promise ceiling over real files. A reboot is played by removing the volatile table.
#include "store/embedded_acceptor.hpp"

#include <gtest/gtest.h>

#include "embedded_store_fixture.hpp"
#include "store/kept_record.hpp"
#include "wire/durable_text.hpp"

namespace dexlock {
namespace {

using namespace embedded_store_fixture;

constexpr std::uint32_t kCeilingRound = 64;

Ballot ballot(std::uint32_t round) { return Ballot{1, round, {1, 7}, 0}; }

Record held_by(const std::string& client) {
  Record record{.count = 1, .op = {"op"}};
  record.holders.push_back(
      Holder{.token = {1}, .client = {client}, .op = {"op"}, .terms = {30s, {}, {}, 1}, .who = ""});
  return record;
}

const Fast kFast{
    .asker = {.claim = {.client = {"f"}}, .terms = {30s, {}, {}, 1}, .proposer = {9, 9}},
    .op = {"fast"}};

class EmbeddedAcceptorTest : public EmbeddedStoreTest {
 protected:
  void SetUp() override {
    EmbeddedStoreTest::SetUp();
    if (IsSkipped()) {
      return;
    }
    open();
    const Group group{"g1", Epoch{1}, {store_->incarnation()}};
    ASSERT_TRUE(acceptor_->change_group({.kind = GroupStep::Kind::propose, .group = group}));
    ASSERT_TRUE(acceptor_->change_group({.kind = GroupStep::Kind::activate, .group = group}));
    where_ = Where{group.id, store_->incarnation(), Epoch{1}};
  }

  void open(bool sole = false) {
    acceptor_.reset();
    store_.reset();
    store_ = open_store(path());
    acceptor_.emplace(store_, sole);
  }
  void reboot(bool sole = false) {
    const fs::path table = soft_directory(path(), store_);
    acceptor_.reset();
    store_.reset();
    fs::remove_all(table);
    open(sole);
  }

  Answer ask(const std::string& name, const Request& request) {
    const Reply reply = acceptor_->serve(where_, name, request);
    if (const auto* fault = std::get_if<Fault>(&reply)) {
      ADD_FAILURE() << fault->text;
      return {};
    }
    return std::get<Answer>(reply);
  }
  Verdict prepare(const std::string& name, std::uint32_t round) {
    return ask(name, Prepare{.ballot = ballot(round)}).verdict;
  }
  Ballot promised(const std::string& name) { return ask(name, Read{}).state.promised; }
  void expect_corrupt(const std::string& name) {
    const Reply reply = acceptor_->serve(where_, name, Read{});
    const auto* fault = std::get_if<Fault>(&reply);
    ASSERT_NE(fault, nullptr);
    EXPECT_EQ(fault->kind, FaultKind::corrupt);
  }

  template <class Step>
  static int syncs_of(const Step& step) {
    const int before = lmdb_syncs;
    step();
    return lmdb_syncs - before;
  }

  Store store_;
  std::optional<EmbeddedAcceptor> acceptor_;
  Where where_;
};

TEST_F(EmbeddedAcceptorTest, AColdClassicAcquireIsOneCommit) {
  prepare("earlier", 1);
  const int commit = syncs_of([&] { ASSERT_TRUE(store_->try_commit()); });
  EXPECT_EQ(syncs_of([&] { EXPECT_EQ(prepare("job", 1), Verdict::promise); }), 0);
  EXPECT_EQ(syncs_of([&] {
              const Accept accept{.ballot = ballot(1), .value = held_by("a"), .next = ballot(2)};
              EXPECT_EQ(ask("job", accept).verdict, Verdict::accepted);
            }),
            commit);
}

TEST_F(EmbeddedAcceptorTest, TheFirstUnsyncedPromiseOfATableIsNotedFirst) {
  EXPECT_GT(syncs_of([&] { prepare("job", 1); }), 0);
  EXPECT_EQ(syncs_of([&] { prepare("other", 1); }), 0);
}

TEST_F(EmbeddedAcceptorTest, AnUnsyncedPromiseOutlivesTheProcess) {
  prepare("job", 3);
  open();
  EXPECT_EQ(promised("job"), ballot(3));
  EXPECT_EQ(prepare("job", 2), Verdict::low);
  EXPECT_EQ(ask("job", kFast).verdict, Verdict::low);
}

TEST_F(EmbeddedAcceptorTest, AfterALossEveryKeyIsPromisedUpToItsCeiling) {
  ASSERT_EQ(
      ask("free",
          Accept{.ballot = ballot(5), .value = Record{.count = 1, .op = {"free"}}, .open = true})
          .verdict,
      Verdict::accepted);
  prepare("job", 3);
  reboot();
  EXPECT_EQ(promised("job").round, kCeilingRound);
  EXPECT_EQ(promised("free").round, 5 + kCeilingRound);
  EXPECT_EQ(promised("never heard of").round, kCeilingRound);
  EXPECT_EQ(prepare("job", kCeilingRound), Verdict::low);
  EXPECT_EQ(ask("job", Accept{.ballot = ballot(4), .value = held_by("a")}).verdict, Verdict::low);
  EXPECT_EQ(ask("free", kFast).verdict, Verdict::low);
  EXPECT_EQ(ask("never heard of", kFast).verdict, Verdict::low);
}

TEST_F(EmbeddedAcceptorTest, APromiseAboveTheCeilingIsSyncedAndEndsItForThatKeyOnly) {
  prepare("job", 3);
  reboot();
  EXPECT_GT(syncs_of([&] { EXPECT_EQ(prepare("job", kCeilingRound + 1), Verdict::promise); }), 0);
  EXPECT_EQ(promised("job"), ballot(kCeilingRound + 1));
  EXPECT_EQ(promised("other").round, kCeilingRound);
  reboot();  // nothing was unsynced in between
  EXPECT_EQ(promised("job"), ballot(kCeilingRound + 1));
  EXPECT_EQ(promised("other").round, kCeilingRound);
  prepare("job", kCeilingRound + 2);
  reboot();
  EXPECT_EQ(promised("job").round, 2 * kCeilingRound + 1);
  EXPECT_EQ(parse_kept(*store_->read("job")->durable)->generation, 1U);
}

TEST_F(EmbeddedAcceptorTest, WhereNoPromiseWasUnsyncedALossChangesNone) {
  ASSERT_EQ(ask("job", kFast).verdict, Verdict::accepted);
  const Ballot before = promised("job");
  reboot();
  EXPECT_EQ(promised("job"), before);
  EXPECT_EQ(ask("other", kFast).verdict, Verdict::accepted);
}

TEST_F(EmbeddedAcceptorTest, AFenceIsSynced) {
  ASSERT_EQ(ask("job", Accept{.ballot = ballot(1), .value = held_by("a")}).verdict,
            Verdict::accepted);
  const Prepare evict{.ballot = ballot(2),
                      .intent = Intent::evict,
                      .victim = {1},
                      .boots = {BootId{store_->boot()}}};
  ASSERT_EQ(ask("job", evict).verdict, Verdict::promise);
  reboot();
  EXPECT_EQ(ask("job", Read{}).state.fence, ballot(2));
  EXPECT_EQ(ask("job", Heartbeat{{1}, 1, ballot(1)}).verdict, Verdict::fenced);
}

TEST_F(EmbeddedAcceptorTest, ACleanStopSyncsWhatWasPromised) {
  prepare("job", 3);
  ASSERT_TRUE(acceptor_->sync_promises());
  reboot();
  EXPECT_EQ(promised("job"), ballot(3));
  EXPECT_EQ(ask("job", Accept{.ballot = ballot(2), .value = held_by("a")}).verdict, Verdict::low);
  EXPECT_EQ(ask("other", kFast).verdict, Verdict::accepted);
}

TEST_F(EmbeddedAcceptorTest, AfterACleanStopTheNextUnsyncedPromiseIsNotedAgain) {
  prepare("job", 3);
  ASSERT_TRUE(acceptor_->sync_promises());
  EXPECT_EQ(syncs_of([&] { EXPECT_TRUE(acceptor_->sync_promises()); }), 0);
  EXPECT_GT(syncs_of([&] { prepare("job", 4); }), 0);
  reboot();
  EXPECT_EQ(promised("job").round, 3 + kCeilingRound);
}

TEST_F(EmbeddedAcceptorTest, SoItDoesInLaterGenerations) {
  prepare("job", 3);
  reboot();
  prepare("job", kCeilingRound + 1);
  prepare("job", kCeilingRound + 2);
  ASSERT_TRUE(acceptor_->sync_promises());
  reboot();
  EXPECT_EQ(promised("job"), ballot(kCeilingRound + 2));
  EXPECT_EQ(promised("other").round, kCeilingRound);
}

TEST_F(EmbeddedAcceptorTest, ACleanStopSyncsMoreThanFitsIntoACommit) {
  constexpr std::size_t kKeys = 2 * EmbeddedStore::kItemsMax + 5;
  for (std::size_t key = 0; key < kKeys; ++key) {
    prepare("job" + std::to_string(key), 3);
  }
  const int commit = syncs_of([&] { ASSERT_TRUE(store_->try_commit()); });
  // Three take them all, but others may have added to what was passed: one more look at all.
  EXPECT_EQ(syncs_of([&] { ASSERT_TRUE(acceptor_->sync_promises()); }), 4 * commit);
  reboot();
  for (std::size_t key = 0; key < kKeys; ++key) {
    ASSERT_EQ(promised("job" + std::to_string(key)), ballot(3)) << key;
  }
}

TEST_F(EmbeddedAcceptorTest, WhatCannotBeReadIsNoCleanStop) {
  prepare("job", 3);
  ASSERT_TRUE(write(*store_, "damaged", {.soft = "?"}));
  EXPECT_EQ(acceptor_->sync_promises().error().code, Errc::store_damaged);
  reboot();
  EXPECT_EQ(promised("job").round, kCeilingRound);
}

TEST_F(EmbeddedAcceptorTest, ATableThatAnEarlierProgramHasReplacedIsLostAllTheSame) {
  prepare("job", 3);
  const std::string noted = "0 " + std::string(24, 'a');
  store_.reset();
  acceptor_.reset();
  rewrite_own("unsynced", [&](const std::string&) { return noted; });
  open();
  EXPECT_EQ(promised("other").round, kCeilingRound);
  prepare("other", kCeilingRound + 1);
  EXPECT_EQ(prepare("other", kCeilingRound + 2), Verdict::promise);
  EXPECT_EQ(promised("absent").round, kCeilingRound) << "the generation stays what it was";
}

TEST_F(EmbeddedAcceptorTest, ReadsRecordsOfEarlierPrograms) {
  const Durable old{.promised = ballot(7), .value = Record{.count = 1, .op = {"o"}}};
  ASSERT_TRUE(write(*store_, "job", {.durable = durable_text(old)}));
  EXPECT_EQ(promised("job"), ballot(7));
  prepare("other", 1);
  reboot();
  EXPECT_EQ(promised("job").round, 7 + kCeilingRound);
}

TEST_F(EmbeddedAcceptorTest, RefusesAGenerationThatIsDamagedOrToCome) {
  const std::string absent = durable_text(absent_record(Epoch{1}));
  ASSERT_TRUE(write(*store_, "damaged", {.durable = absent + "~x"}));
  ASSERT_TRUE(write(*store_, "to come", {.durable = absent + "~1"}));
  expect_corrupt("damaged");
  expect_corrupt("to come");
  prepare("job", 1);
  store_.reset();
  acceptor_.reset();
  rewrite_own("unsynced", [](const std::string& note) { return note + "?"; });
  open();
  expect_corrupt("job");
}

TEST_F(EmbeddedAcceptorTest, ASoleAcceptorKeepsToUnsyncedPromisesAndToTheCeiling) {
  prepare("job", 3);
  prepare("mine", 3);
  open(true);
  EXPECT_EQ(ask("mine", Accept{.ballot = ballot(3), .value = held_by("a")}).verdict,
            Verdict::accepted)
      << "it is promised, if not synced";
  EXPECT_EQ(prepare("job", 3), Verdict::low);
  EXPECT_EQ(prepare("job", 4), Verdict::promise);
  EXPECT_EQ(ask("job", Accept{.ballot = ballot(4), .value = held_by("a")}).verdict,
            Verdict::accepted);
  reboot(true);
  EXPECT_EQ(prepare("other", kCeilingRound), Verdict::low);
  EXPECT_EQ(prepare("other", kCeilingRound + 1), Verdict::promise);
  EXPECT_EQ(
      ask("other", Accept{.ballot = ballot(kCeilingRound + 1), .value = held_by("a")}).verdict,
      Verdict::accepted);
}

// Each of those that were promised on sight and not used was one round: there may be many.
TEST_F(EmbeddedAcceptorTest, ForASoleAcceptorNoRoundIsTooFar) {
  open(true);
  const std::uint32_t far = 3 * kRoundStepMax;
  EXPECT_EQ(prepare("job", far), Verdict::promise);
  EXPECT_EQ(ask("job", Accept{.ballot = ballot(far), .value = held_by("a")}).verdict,
            Verdict::accepted);
  EXPECT_EQ(promised("job"), ballot(far));
  EXPECT_EQ(prepare("job", far - 1), Verdict::low);
}

// Somebody grants it the lock, and leaves to it the very ballot that it has just asked for.
TEST_F(EmbeddedAcceptorTest, ASoleAcceptorTakesNoValueOnAPromiseThatIsForAnotherRecord) {
  const Ballot rival{1, 2, {5, 5}, 0};
  const Ballot mine = ballot(3);
  open(true);
  EmbeddedAcceptor other(store_, true);  // of another process
  const auto verdict = [&](const Request& request) {
    return std::get<Answer>(other.serve(where_, "job", request)).verdict;
  };
  ASSERT_EQ(ask("job", Prepare{.ballot = mine}).verdict, Verdict::promise);
  ASSERT_EQ(verdict(Prepare{.ballot = rival}), Verdict::promise);
  ASSERT_EQ(verdict(Accept{.ballot = rival, .value = held_by("me"), .next = mine}),
            Verdict::accepted);
  ASSERT_EQ(ask("job", Prepare{.ballot = Ballot{1, 4, {6, 6}, 0}}).verdict, Verdict::promise)
      << "another session of this process";
  EXPECT_EQ(ask("job", Accept{.ballot = mine, .value = held_by("a")}).verdict, Verdict::low);
}

}  // namespace
}  // namespace dexlock
