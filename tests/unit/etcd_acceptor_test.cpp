// The acceptor over etcd, between what it asks and what it is told.
#include "etcd/etcd_acceptor.hpp"

#include <gtest/gtest.h>

#include <algorithm>

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

constexpr std::int64_t kMade = 3;  // at that revision the record's key was made

EtcdOutcome told(std::int64_t revision, std::vector<EtcdKeyValue> record,
                 std::vector<EtcdKeyValue> beats = {}, bool succeeded = false) {
  for (EtcdKeyValue& kv : record) {
    kv.create_revision = kv.create_revision == 0 ? kMade : kv.create_revision;
  }
  return EtcdOutcome{
      .succeeded = succeeded,
      .cluster = kCluster,
      .revision = revision,
      .ranges = {
          std::move(record), std::move(beats), {}, {}, {{kGroupKey.key, "", kGroupKey.revision}}}};
}

// The record when it has just been made.
EtcdKeyValue made(std::int64_t revision = kMade) {
  return {"/p/lock/x", durable_text(absent_record(Epoch{1})), revision, revision};
}

class EtcdAcceptorTest : public ::testing::Test {
 protected:
  EtcdAcceptor serve(Request request) {
    return EtcdAcceptor({.where = {"g", "i", Epoch{1}},
                         .keys = {"/p/", "x"},
                         .server = "etcd://e:1",
                         .group = kGroupKey,
                         .cluster = kCluster,
                         .wall_time = std::chrono::milliseconds(1000)},
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
  promised({.ballot = ballot(1, 1)}, told(5, {made()}));
  EtcdAcceptor acceptor = serve(Accept{.ballot = ballot(1, 1), .value = held(1)});
  const auto output = acceptor.start();
  ASSERT_TRUE(output.txn);
  ASSERT_EQ(output.txn->compares.size(), 2U);
  EXPECT_EQ(output.txn->compares[0].key, "/p/group");
  EXPECT_EQ(output.txn->compares[1].key, "/p/lock/x");
  EXPECT_EQ(output.txn->compares[1].revision, kMade);
  const std::string text = output.txn->puts.at(0).value;
  EXPECT_EQ(text, text_after(ballot(1, 1), held(1)));
  EXPECT_EQ(verdict(acceptor.on_outcome(told(6, {{"/p/lock/x", text, 6}}, {}, true))),
            Verdict::accepted);
}

TEST_F(EtcdAcceptorTest, RefusesAValueWhoseRecordHasChanged) {
  promised({.ballot = ballot(1, 1)}, told(5, {made()}));
  EtcdAcceptor acceptor = serve(Accept{.ballot = ballot(1, 1), .value = held(1)});
  EXPECT_TRUE(acceptor.start().txn);
  EXPECT_EQ(
      verdict(acceptor.on_outcome(told(7, {{"/p/lock/x", text_after(ballot(1, 2), held(1)), 7}}))),
      Verdict::low);
}

TEST_F(EtcdAcceptorTest, RecognisesItsOwnValueAfterACallWithoutAnAnswer) {
  promised({.ballot = ballot(1, 1)}, told(5, {made()}));
  EtcdAcceptor acceptor = serve(Accept{.ballot = ballot(1, 1), .value = held(1)});
  const std::string text = acceptor.start().txn->puts.at(0).value;
  EXPECT_TRUE(acceptor.on_unknown().txn->reads());
  EXPECT_EQ(verdict(acceptor.on_outcome(told(6, {{"/p/lock/x", text, 6}}))), Verdict::accepted);
}

TEST_F(EtcdAcceptorTest, ClaimsNothingAboutAValueThatMayHaveBeenOverwritten) {
  promised({.ballot = ballot(1, 1)}, told(5, {made()}));
  EtcdAcceptor acceptor = serve(Accept{.ballot = ballot(1, 1), .value = held(1)});
  EXPECT_TRUE(acceptor.start().txn);
  EXPECT_TRUE(acceptor.on_unknown().txn->reads());
  const auto output =
      acceptor.on_outcome(told(9, {{"/p/lock/x", text_after(ballot(2, 2), held(2)), 9}}));
  ASSERT_TRUE(output.reply);
  ASSERT_TRUE(std::holds_alternative<Fault>(*output.reply));
  EXPECT_EQ(std::get<Fault>(*output.reply).kind, FaultKind::unreachable);
}

TEST_F(EtcdAcceptorTest, TakesNoReadingForItsChangeHoweverManyCallsHaveNoAnswer) {
  promised({.ballot = ballot(1, 1)}, told(5, {made()}));
  EtcdAcceptor acceptor = serve(Accept{.ballot = ballot(1, 1), .value = held(1)});
  EXPECT_TRUE(acceptor.start().txn);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(acceptor.on_unknown().txn->reads());
    const auto output = acceptor.on_outcome(told(5, {made()}, {}, true));
    ASSERT_TRUE(output.txn) << "call " << i;
    EXPECT_FALSE(output.txn->reads());
  }
}

// Somebody grants it the lock, and leaves to it the very ballot that it has just asked for.
TEST_F(EtcdAcceptorTest, TakesNoValueOnAPromiseThatIsForAnotherRecord) {
  const Ballot mine = ballot(3, 1);
  promised({.ballot = mine}, told(6, {{"/p/lock/x", text_after(ballot(1, 2), kFree), 6}}));
  Durable granted = absent_record(Epoch{1});
  Soft soft;
  const Prepare rival{.ballot = ballot(2, 2)};
  ASSERT_EQ(apply(granted, soft, {"synced"}, rival).verdict, Verdict::promise);
  const Accept grant{.ballot = ballot(2, 2), .value = held(5), .next = mine};
  ASSERT_EQ(apply(granted, soft, {"synced"}, grant).verdict, Verdict::accepted);
  ASSERT_EQ(granted.promised, mine);
  const EtcdOutcome now = told(8, {{"/p/lock/x", durable_text(granted), 8}});

  promised({.ballot = ballot(4, 3)}, now);  // of another session with this memory
  EtcdAcceptor acceptor = serve(Accept{.ballot = mine, .value = held(5)});
  auto output = acceptor.start();
  if (!output.reply) {
    output = acceptor.on_outcome(now);
  }
  EXPECT_EQ(verdict(output), Verdict::low);
}

TEST_F(EtcdAcceptorTest, EvictsOnlyOverTheHeartbeatItSaw) {
  const std::string record = text_after(ballot(1, 1), held(4));
  const EtcdKeyValue at{"/p/lock/x", record, 6};
  promised({.ballot = ballot(2, 2),
            .intent = Intent::evict,
            .victim = {4},
            .beat = 3,
            .boots = {{"synced"}}},
           told(8, {at}, {{"/p/beat/x#0", "4 3 -", 8}}));
  EtcdAcceptor acceptor = serve(Accept{.ballot = ballot(2, 2), .value = kFree});
  const auto output = acceptor.start();
  ASSERT_TRUE(output.txn);
  const auto& beat = output.txn->compares.back();
  EXPECT_EQ(beat.key, "/p/beat/x#0");
  EXPECT_EQ(beat.revision, 8);
  EXPECT_EQ(output.txn->deletes, std::vector{EtcdDelete{"/p/beat/x#0"}});
  EXPECT_EQ(verdict(acceptor.on_outcome(told(9, {at}, {{"/p/beat/x#0", "4 4 -", 9}}))),
            Verdict::low);
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
  removed.ranges.back().clear();
  EXPECT_EQ(kind(removed), FaultKind::not_member);
  EtcdOutcome made_anew = told(5, {});
  made_anew.ranges.back()[0].mod_revision = 4;
  EXPECT_EQ(kind(made_anew), FaultKind::not_member);
  EXPECT_EQ(kind(told(5, {{"/p/lock/x", "garbage", 4}})), FaultKind::corrupt);
  EXPECT_EQ(kind(told(5, {made()}, {{"/p/beat/x#one", "1", 4}})), FaultKind::corrupt);
  EXPECT_EQ(kind(told(5, {made()}, {{"/p/beat/x#1", "one", 4}})), FaultKind::corrupt);
}

// Tokens count from the revision that made the record, which no other record of the lock has.
TEST_F(EtcdAcceptorTest, MakesTheRecordBeforeItPromisesAnything) {
  EtcdAcceptor acceptor = serve(Prepare{.ballot = ballot(1, 1)});
  EXPECT_TRUE(acceptor.start().txn->reads());
  const auto output = acceptor.on_outcome(told(40, {}));
  ASSERT_TRUE(output.txn);
  ASSERT_EQ(output.txn->compares.size(), 3U);
  EXPECT_EQ(output.txn->compares[1].key, "/p/lock/x");
  EXPECT_EQ(output.txn->compares[1].revision, 0);
  EXPECT_EQ(output.txn->compares[2].key, "/p/beat/x#");
  EXPECT_EQ(output.txn->puts.at(0).value, made().value);
  const auto promise = acceptor.on_outcome(told(41, {made(41)}, {}, true));
  EXPECT_EQ(verdict(promise), Verdict::promise);
  EXPECT_EQ(record_of(std::get<Answer>(*promise.reply).state).count, 41U);
}

// Without an operation it has no text, and could be granted to nobody who waits in line.
TEST_F(EtcdAcceptorTest, BeginsWithARecordThatCanBeHandedOver) {
  EtcdAcceptor acceptor = serve(Read{});
  EXPECT_TRUE(acceptor.start().txn);
  const auto output = acceptor.on_outcome(told(41, {made(41)}));
  Durable durable = absent_record(Epoch{1});
  durable.value = std::get<Answer>(*output.reply).state.value;
  ASSERT_TRUE(durable.value);
  EXPECT_EQ(parse_durable(durable_text(durable)), durable);
}

// Two who see no record are not both granted the token after that revision, whatever is removed in
// between.
TEST_F(EtcdAcceptorTest, TakesNoValueForARecordThatWasMadeAnew) {
  promised({.ballot = ballot(1, 1)}, told(41, {made(41)}));
  EtcdAcceptor acceptor = serve(Accept{.ballot = ballot(1, 1), .value = held(42)});
  EXPECT_EQ(acceptor.start().txn->compares.at(1).revision, 41);
  EXPECT_EQ(verdict(acceptor.on_outcome(told(50, {made(48)}))), Verdict::low);
}

TEST_F(EtcdAcceptorTest, CountsFromTheMarkWhereThatIsHigher) {
  EtcdOutcome seen = told(41, {made(41)});
  seen.ranges[3].push_back({"/p/mark/x", "7000", 30});
  EtcdAcceptor acceptor = serve(Read{});
  EXPECT_TRUE(acceptor.start().txn);
  const auto output = acceptor.on_outcome(seen);
  EXPECT_EQ(record_of(std::get<Answer>(*output.reply).state).count, 7000U);
}

TEST_F(EtcdAcceptorTest, MarksACountAboveTheRevisionUntilThatHasCaughtUp) {
  promised({.ballot = ballot(1, 1)}, told(5, {made()}));
  EtcdAcceptor above = serve(Accept{.ballot = ballot(1, 1), .value = held(7)});
  const EtcdTxn txn = above.start().txn.value();
  ASSERT_GE(txn.puts.size(), 2U);
  EXPECT_EQ(txn.puts[1].key, "/p/mark/x");
  EXPECT_EQ(txn.puts[1].value, "7");

  EtcdOutcome seen = told(9, {{"/p/lock/x", txn.puts[0].value, 6}}, {{"/p/beat/x#0", "7 0 -", 6}});
  seen.ranges[3].push_back({"/p/mark/x", "7", 6});
  promised({.ballot = ballot(2, 1)}, seen);
  EtcdAcceptor below = serve(Accept{.ballot = ballot(2, 1), .value = held(8)});
  const EtcdTxn next = below.start().txn.value();
  EXPECT_EQ(std::ranges::count(next.deletes, EtcdDelete{"/p/mark/x"}), 1);
}

TEST_F(EtcdAcceptorTest, LetsOnlyARecordThatNobodyNeedsEndByItself) {
  promised({.ballot = ballot(1, 1)}, told(9, {made()}));
  EXPECT_EQ(serve(Accept{.ballot = ballot(1, 1), .value = kFree}).start().txn->puts.at(0).term,
            EtcdTerm::idle);
  const auto kept = [&](const Record& record) {
    promised({.ballot = ballot(1, 1)}, told(9, {made()}));
    return serve(Accept{.ballot = ballot(1, 1), .value = record}).start().txn->puts.at(0).term ==
           EtcdTerm::never;
  };
  EXPECT_TRUE(kept(held(4)));
  Record record = kFree;
  record.data = "value";
  EXPECT_TRUE(kept(record));
  record = kFree;
  record.gate = {GateState::hold, "work"};
  EXPECT_TRUE(kept(record));
  record = kFree;
  record.last = Departed{.token = {4}, .client = {"c"}, .how = EndKind::expired, .who = "me"};
  EXPECT_TRUE(kept(record)) << "somebody may still have to fence it";
}

TEST_F(EtcdAcceptorTest, GrantsNothingWhereTheRecordOfAHeldLockWasRemoved) {
  const EtcdOutcome seen = told(9, {}, {{"/p/beat/x#0", "4 3 -", 8}});
  for (const Request& request :
       {Request(Prepare{.ballot = ballot(1, 1)}), Request(Fast{}), Request(Read{}),
        Request(Accept{.ballot = ballot(1, 1), .value = held(5)})}) {
    EtcdAcceptor acceptor = serve(request);
    EXPECT_TRUE(acceptor.start().txn->reads());
    const auto output = acceptor.on_outcome(seen);
    ASSERT_TRUE(output.reply);
    ASSERT_TRUE(std::holds_alternative<Fault>(*output.reply));
    EXPECT_EQ(std::get<Fault>(*output.reply).kind, FaultKind::corrupt);
  }
  EtcdAcceptor acceptor = serve(Heartbeat{{4}, 4, ballot(9, 1)});
  EXPECT_TRUE(acceptor.start().txn->reads());
  EXPECT_EQ(verdict(acceptor.on_outcome(seen)), Verdict::gone) << "its holder stops at once";
}

TEST_F(EtcdAcceptorTest, TellsAHolderOfAnEarlierRecordThatItsLockIsGone) {
  const std::string later = text_after(ballot(1, 2), held(60));
  EtcdAcceptor acceptor = serve(Heartbeat{{4}, 4, ballot(9, 1)});
  EXPECT_TRUE(acceptor.start().txn->reads());
  EXPECT_EQ(verdict(acceptor.on_outcome(
                told(61, {{"/p/lock/x", later, 61}}, {{"/p/beat/x#0", "60 0 -", 61}}))),
            Verdict::gone);
}

TEST_F(EtcdAcceptorTest, GivesEachHolderAHeartbeatFromTheGrantOn) {
  promised({.ballot = ballot(1, 1)}, told(5, {made()}));
  const EtcdTxn txn = serve(Accept{.ballot = ballot(1, 1), .value = held(4)}).start().txn.value();
  const auto at = std::ranges::find(txn.puts, "/p/beat/x#0", &EtcdPut::key);
  ASSERT_NE(at, txn.puts.end());
  EXPECT_EQ(at->value, "4 0 1000");
}

// What the removed key said is lost, so who observes begins again; then a dead holder can go.
TEST_F(EtcdAcceptorTest, DoesNotVouchForAHolderWhoseHeartbeatWasRemoved) {
  const EtcdKeyValue at{"/p/lock/x", text_after(ballot(1, 1), held(4)), 6};
  const auto asked = [&](std::vector<BootId> boots) {
    EtcdAcceptor acceptor = serve(Prepare{.ballot = ballot(2, 2),
                                          .intent = Intent::evict,
                                          .victim = {4},
                                          .beat = 3,
                                          .boots = std::move(boots)});
    EXPECT_TRUE(acceptor.start().txn->reads());
    return verdict(acceptor.on_outcome(told(8, {at})));
  };
  EXPECT_EQ(asked({{"synced"}}), Verdict::alive);
  EtcdAcceptor look = serve(Read{});
  EXPECT_TRUE(look.start().txn);
  const auto seen = look.on_outcome(told(8, {at}));
  EXPECT_EQ(asked({std::get<Answer>(*seen.reply).state.boot}), Verdict::promise);
}

// So that one who saw the first loss does not take the second one for it.
TEST_F(EtcdAcceptorTest, WritesTheRecordAnewWithAHeartbeatThatWasRemoved) {
  const std::string record = text_after(ballot(1, 1), held(4));
  const EtcdKeyValue at{"/p/lock/x", record, 6};
  const auto boot = [&](const EtcdOutcome& seen) {
    EtcdAcceptor look = serve(Read{});
    EXPECT_TRUE(look.start().txn);
    return std::get<Answer>(look.on_outcome(seen).reply.value()).state.boot;
  };
  const BootId first = boot(told(8, {at}));
  EtcdAcceptor beat = serve(Heartbeat{{4}, 9, ballot(1, 1)});
  const EtcdTxn txn = beat.start().txn.value();
  ASSERT_EQ(txn.puts.size(), 2U);
  EXPECT_EQ(txn.puts[0].key, "/p/beat/x#0");
  EXPECT_EQ(txn.puts[0].value, "4 9 -");
  EXPECT_EQ(txn.puts[1].key, "/p/lock/x");
  EXPECT_EQ(txn.puts[1].value, record);
  const EtcdKeyValue later{"/p/lock/x", record, 9};
  EXPECT_EQ(boot(told(9, {later}, {{"/p/beat/x#0", "4 9 -", 9}})), BootId{"synced"});
  EXPECT_NE(boot(told(10, {later})), first);
}

// Of a write that etcd says it had no room for it may have made all the same.
TEST_F(EtcdAcceptorTest, LooksWhetherAWriteWithoutRoomWasMade) {
  promised({.ballot = ballot(1, 1)}, told(5, {made()}));
  EtcdAcceptor acceptor = serve(Accept{.ballot = ballot(1, 1), .value = held(1)});
  const std::string text = acceptor.start().txn->puts.at(0).value;
  const Fault full{FaultKind::full, "out of space"};
  EXPECT_TRUE(acceptor.on_unknown(full).txn->reads());
  EtcdAcceptor made_it = acceptor;
  EXPECT_EQ(verdict(made_it.on_outcome(told(6, {{"/p/lock/x", text, 6}}))), Verdict::accepted);
  const auto output = acceptor.on_outcome(told(5, {made()}));
  EXPECT_EQ(std::get<Fault>(output.reply.value()).kind, FaultKind::full);
}

TEST_F(EtcdAcceptorTest, AnswersFromWhatItReadNotFromWhatIsRemembered) {
  memory_->known = EtcdSight{.revision = 90, .record_revision = 80};
  EtcdAcceptor acceptor = serve(Read{});
  EXPECT_TRUE(acceptor.start().txn);
  const auto output = acceptor.on_outcome(told(
      9, {{"/p/lock/x", text_after(ballot(1, 1), held(4)), 6}}, {{"/p/beat/x#0", "4 2 -", 7}}));
  const State& state = std::get<Answer>(output.reply.value()).state;
  EXPECT_EQ(state.accepted, ballot(1, 1));
  EXPECT_EQ(state.beats.at({4}), 2U);
}

TEST_F(EtcdAcceptorTest, PassesOverATicketThatCannotBeRead) {
  EtcdOutcome seen = told(9, {made()});
  seen.ranges[2].push_back({"/p/wait/x#abc", "garbage", 7});
  const Ticket mine{.number = 1, .claim = {.client = {"abc"}}, .refresh = 2, .who = "me"};
  EtcdAcceptor acceptor = serve(Post{.ticket = mine, .remove = false});
  EXPECT_TRUE(acceptor.start().txn->reads());
  const auto output = acceptor.on_outcome(seen);
  ASSERT_TRUE(output.txn);
  EXPECT_EQ(output.txn->compares.at(1).revision, 7) << "its own is written over it";
}

TEST_F(EtcdAcceptorTest, RenewsATicketBehindManyOthersAndShowsTheFirst) {
  EtcdOutcome seen = told(9, {made()});
  const auto ticket = [](std::uint32_t number, std::uint32_t refresh) {
    return Ticket{.number = number,
                  .claim = {.client = {"c" + std::to_string(number)}},
                  .refresh = refresh,
                  .who = "me"};
  };
  constexpr std::uint32_t kLast = 70;
  for (std::uint32_t number = 1; number <= kLast; ++number) {
    seen.ranges[2].push_back(
        {"/p/wait/x#c" + std::to_string(number), ticket_text(ticket(number, 1)), 7});
  }
  EtcdAcceptor acceptor = serve(Post{.ticket = ticket(kLast, 2), .remove = false});
  EXPECT_TRUE(acceptor.start().txn->reads());
  const auto output = acceptor.on_outcome(seen);
  ASSERT_TRUE(output.txn);
  EXPECT_EQ(output.txn->puts.at(0).value, ticket_text(ticket(kLast, 2)));
  seen.succeeded = true;
  const auto answer = acceptor.on_outcome(seen);
  EXPECT_EQ(std::get<Answer>(answer.reply.value()).state.tickets.size(), kTicketsPerReplyMax);
}

TEST_F(EtcdAcceptorTest, PausesWhenItHasLostSomeRaces) {
  promised({.ballot = ballot(1, 1)}, told(5, {made()}));
  const EtcdKeyValue at{"/p/lock/x", text_after(ballot(1, 1), held(4)), 6};
  EtcdAcceptor acceptor = serve(Heartbeat{{4}, 9, ballot(1, 1)});
  auto output = acceptor.start();
  output = acceptor.on_outcome(told(6, {at}, {{"/p/beat/x#0", "4 0 -", 6}}));
  std::vector<bool> crowded;
  for (std::int64_t revision = 7; revision < 12; ++revision) {
    crowded.push_back(output.crowded);
    output = acceptor.on_outcome(told(revision, {at}, {{"/p/beat/x#0", "4 1 -", revision}}));
  }
  EXPECT_EQ(crowded, (std::vector{false, false, false, true, true}));
}

TEST_F(EtcdAcceptorTest, ReadsOnlyWhoWaitsWithAWriteAndKnowsTheRest) {
  promised({.ballot = ballot(1, 1)}, told(50, {made(40)}));
  EtcdAcceptor grant = serve(Accept{.ballot = ballot(1, 1), .value = held(41)});
  const EtcdTxn granted = grant.start().txn.value();
  ASSERT_EQ(granted.ranges.size(), 1U);
  EXPECT_EQ(granted.ranges[0].key, "/p/wait/x#");
  EXPECT_EQ(granted.else_ranges.size(), 5U) << "of a lost race everything is read";
  const EtcdOutcome done{.succeeded = true, .cluster = kCluster, .revision = 51, .ranges = {{}}};
  EXPECT_EQ(verdict(grant.on_outcome(done)), Verdict::accepted);
  const EtcdTxn beat = serve(Heartbeat{{41}, 1, ballot(1, 1)}).start().txn.value();
  EXPECT_EQ(std::ranges::find(beat.compares, "/p/lock/x", &EtcdCompare::key)->revision, 51);
  EXPECT_EQ(std::ranges::find(beat.compares, "/p/beat/x#0", &EtcdCompare::key)->revision, 51);
}

TEST_F(EtcdAcceptorTest, KeepsTheLatestHoldsForPeople) {
  promised({.ballot = ballot(2, 1)},
           told(52, {{"/p/lock/x", text_after(ballot(1, 1), held(41)), 51}},
                {{"/p/beat/x#0", "41 7 900", 52}}));
  Record after{.count = 41, .op = {"end"}};
  after.last = Departed{.token = {41}, .client = {"c"}, .how = EndKind::released, .who = "me"};
  EtcdAcceptor release = serve(Accept{.ballot = ballot(2, 1), .value = after});
  const EtcdTxn released = release.start().txn.value();
  const std::string key = "/p/past/x#1";  // in the place of token 21
  const auto left = std::ranges::find(released.puts, key, &EtcdPut::key);
  ASSERT_NE(left, released.puts.end());
  EXPECT_EQ(left->term, EtcdTerm::idle);
  const EtcdOutcome later{.ranges = {{{key, left->value, 53}},
                                     {{"/p/lock/x", text_after(ballot(3, 1), held(42)), 54}},
                                     {{"/p/beat/x#1", "42 0 1100", 54}}}};
  const auto holds = past_holds_of(later);
  ASSERT_EQ(holds.size(), 2U);
  EXPECT_EQ(holds[0].token, FencingToken{42});
  EXPECT_EQ(holds[0].state, HoldState::holding);
  EXPECT_EQ(holds[0].from, std::chrono::milliseconds(1100));
  EXPECT_EQ(holds[1].state, HoldState::released);
  EXPECT_EQ(holds[1].from, std::chrono::milliseconds(900));
  EXPECT_EQ(holds[1].to, std::chrono::milliseconds(1000));
  EXPECT_EQ(holds[1].who, "me");
}

// One who was granted the lock by its ticket waits no more.
class EtcdHandOver : public EtcdAcceptorTest {
 protected:
  static Record handed_to(const std::string& client) {
    Record record = held(42);
    record.holders.at(0).client = {client};
    record.holders.at(0).ticket = 3;
    return record;
  }
  static EtcdKeyValue ticket_of(const std::string& client, std::int64_t revision) {
    Ticket ticket{.number = 1, .refresh = 3, .ttl = std::chrono::seconds(5), .who = "me"};
    ticket.claim.client = {client};
    return {"/p/wait/x#" + client, ticket_text(ticket), revision};
  }
  static EtcdOutcome waited_for(std::vector<EtcdKeyValue> tickets) {
    EtcdOutcome outcome = told(52, {{"/p/lock/x", text_after(ballot(1, 1), held(41)), 51}},
                               {{"/p/beat/x#0", "41 7 900", 51}});
    outcome.ranges[2] = std::move(tickets);
    return outcome;
  }
};

TEST_F(EtcdHandOver, UsesTheTicketUp) {
  promised({.ballot = ballot(2, 1)}, waited_for({ticket_of("heir", 50)}));
  EtcdAcceptor release = serve(Accept{.ballot = ballot(2, 1), .value = handed_to("heir")});
  const EtcdTxn txn = release.start().txn.value();
  EXPECT_EQ(txn.compares.back().key, "/p/wait/x#heir");
  EXPECT_TRUE(txn.compares.back().present);
  EXPECT_NE(std::ranges::find(txn.deletes, EtcdDelete{"/p/wait/x#heir"}), txn.deletes.end());
  EXPECT_NE(std::ranges::find(txn.puts, "/p/beat/x#1", &EtcdPut::key), txn.puts.end())
      << "not the key that is removed";
}

TEST_F(EtcdHandOver, HandsNothingToOneThatHasLeft) {
  promised({.ballot = ballot(2, 1)}, waited_for({ticket_of("heir", 50)}));
  EtcdAcceptor release = serve(Accept{.ballot = ballot(2, 1), .value = handed_to("heir")});
  ASSERT_TRUE(release.start().txn);
  EXPECT_EQ(verdict(release.on_outcome(waited_for({}))), Verdict::low);
}

TEST_F(EtcdHandOver, TheHeirNeedNotTakeItsTicketBack) {
  promised({.ballot = ballot(2, 1)}, waited_for({ticket_of("heir", 50), ticket_of("next", 52)}));
  const std::string value = text_after(ballot(2, 1), handed_to("heir"));
  const auto news = learn_record(Epoch{1}, value, 53, *memory_);
  ASSERT_TRUE(news);
  EXPECT_EQ(record_of(news->state).holders.at(0).client, ClientId{"heir"});
  ASSERT_EQ(news->state.tickets.size(), 1U);
  EXPECT_EQ(news->state.tickets[0].claim.client, ClientId{"next"});
  const auto take_back = [&](const std::string& client) {
    Ticket ticket{.refresh = 4};
    ticket.claim.client = {client};
    return serve(Post{.ticket = ticket, .remove = true}).start();
  };
  EXPECT_TRUE(take_back("heir").reply);
  EXPECT_TRUE(take_back("next").txn);
  memory_->posted_at = 60;
  EXPECT_TRUE(take_back("heir").txn) << "posted since the tickets were read";
  memory_->posted_at = 52;
  memory_->posts_unsure = true;
  EXPECT_TRUE(take_back("heir").txn) << "one may come yet";
  EtcdAcceptor beat = serve(Heartbeat{{42}, 1, ballot(2, 1)});
  EXPECT_TRUE(beat.start().txn->reads()) << "where its heartbeat is was not told";
}

TEST_F(EtcdAcceptorTest, AnswersFromACallThatWasMadeLater) {
  EtcdAcceptor beat = serve(Heartbeat{{30}, 1, ballot(1, 1)});
  promised({.ballot = ballot(1, 1)}, told(50, {made(40)}));
  EXPECT_EQ(verdict(beat.start()), Verdict::gone) << "of a read that was made after it was asked";
  EtcdAcceptor late = serve(Heartbeat{{30}, 1, ballot(1, 1)});
  EXPECT_TRUE(late.start().txn->reads());
}

}  // namespace
}  // namespace dexlock
