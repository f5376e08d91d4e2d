// The link to etcd over one that does what it is told to do wrong.
#include "client/etcd_link.hpp"

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "etcd/etcd_sight.hpp"
#include "unit/fake_etcd.hpp"
#include "unit/scratch_directory.hpp"

namespace dexlock::testing {
namespace {

using Kind = EtcdTrouble::Kind;
constexpr std::chrono::seconds kPatience{60};
const std::string kGroupId = "g";

class EtcdLinkTest : public ::testing::Test {
 protected:
  EtcdLinkTest() { make(); }

  void make(std::string user = {}) {
    link_.reset();
    greeting_.reset();
    down_.reset();
    link_ = make_etcd_link(loop_,
                           {.access = EtcdAccess{.service = {.endpoints = {"a:1", "b:1", "c:1"}},
                                                 .user = std::move(user),
                                                 .password = "secret"},
                            .prefix = "/p/",
                            .shown = "etcd://a:1",
                            .remembered_file = scratch_.path() / "revision",
                            .make_service =
                                [this](const EtcdService::Options&) {
                                  return Result<std::unique_ptr<EtcdService>>(etcd_.service());
                                }},
                           {.on_greeting = [this](const auto& got) { greeting_ = got; },
                            .on_down =
                                [this](Error why) {
                                  down_ = std::move(why);
                                  link_->close();
                                }});
  }

  template <class Done>
  void run_until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      loop_.restart();
      const auto work = boost::asio::make_work_guard(loop_);
      ASSERT_NE(loop_.run_one_until(deadline), 0U) << "nothing has come";
    }
  }

  // What is under way at this moment; timers that are not due are left alone.
  void turn() {
    loop_.restart();
    loop_.poll();
  }

  void open() {
    link_->open();
    run_until([&] { return greeting_ || down_; });
    if (down_) {
      return;
    }
    const Group group{kGroupId, Epoch{1}, {greeting_->identity.incarnation}};
    for (const auto kind : {GroupStep::Kind::propose, GroupStep::Kind::activate}) {
      std::optional<Result<Group>> stands;
      link_->change_group({.kind = kind, .group = group}, [&](auto got) { stands = got; });
      run_until([&] { return stands.has_value(); });
    }
    where_ = Where{kGroupId, group.members.front(), Epoch{1}};
  }

  Reply ask(const std::string& name, const Request& request) {
    std::optional<Reply> reply;
    link_->request(where_, name, request, [&](Reply got) { reply = std::move(got); });
    run_until([&] { return reply.has_value(); });
    return reply.value_or(Fault{});
  }

  // Token of the grant.
  FencingToken take(const std::string& name) {
    const Reply reply =
        ask(name, Fast{.asker = {.claim = {.client = {"c"}}, .proposer = {1, 1}}, .op = {"o"}});
    const auto* answer = std::get_if<Answer>(&reply);
    if (answer == nullptr || answer->verdict != Verdict::accepted) {
      ADD_FAILURE() << "not granted";
      return {};
    }
    return answer->state.value->holders.at(0).token;
  }

  static Post post(std::uint32_t refresh, bool remove) {
    return {.ticket = {.number = 1,
                       .claim = {.client = {"abc"}},
                       .refresh = refresh,
                       .ttl = std::chrono::seconds(5),
                       .who = "me"},
            .remove = remove};
  }

  FakeEtcd etcd_;
  ScratchDirectory scratch_;
  boost::asio::io_context loop_;
  std::optional<LinkGreeting> greeting_;
  std::optional<Error> down_;
  Where where_;
  std::unique_ptr<Link> link_;  // the first to go
};

TEST_F(EtcdLinkTest, GoesOnWithAnEndpointThatAnswers) {
  open();
  for (const Kind kind : {Kind::unknown, Kind::untrusted, Kind::refused}) {
    etcd_.troubles = {{0, kind}, {1, kind}};
    make();
    open();
    EXPECT_FALSE(down_) << down_->text;
    EXPECT_TRUE(greeting_);
  }
}

TEST_F(EtcdLinkTest, TellsOfCertificatesOnlyWhenNoEndpointIsTrusted) {
  etcd_.troubles = {{0, Kind::untrusted}, {1, Kind::untrusted}, {2, Kind::untrusted}};
  open();
  ASSERT_TRUE(down_);
  EXPECT_EQ(down_->code, Errc::not_permitted);
  EXPECT_EQ(etcd_.asked.size(), 3U);
}

TEST_F(EtcdLinkTest, LeavesAnEndpointThatFailsAndStaysWithOneThatDoesNot) {
  open();
  etcd_.troubles = {{0, Kind::unknown}};
  EXPECT_TRUE(std::holds_alternative<Answer>(ask("x", Read{})));
  etcd_.asked.clear();
  EXPECT_TRUE(std::holds_alternative<Answer>(ask("x", Read{})));
  ASSERT_EQ(etcd_.asked.size(), 1U);
  EXPECT_NE(etcd_.asked[0].endpoint, 0U);
}

TEST_F(EtcdLinkTest, RefusesAnEtcdThatIsTooOld) {
  etcd_.version = "3.3.25";
  open();
  ASSERT_TRUE(down_);
  EXPECT_EQ(down_->code, Errc::bad_config);
  EXPECT_TRUE(down_->text.contains("is etcd 3.3.25; etcd 3.4 or later is needed")) << down_->text;
  for (const char* version : {"3.4.0", "3.10.1", "4.0.0", "", "new"}) {
    etcd_.version = version;
    make();
    open();
    EXPECT_FALSE(down_) << version;
  }
}

TEST_F(EtcdLinkTest, TellsOfEachEndpoint) {
  open();
  etcd_.troubles = {{1, Kind::unknown}};
  std::optional<Told> told;
  link_->ask(AskEndpoints{}, [&](Told got) { told = std::move(got); });
  run_until([&] { return told.has_value(); });
  const auto& endpoints = std::get<EndpointsTold>(*told).endpoints;
  ASSERT_EQ(endpoints.size(), 3U);
  EXPECT_EQ(endpoints[0].name, "a:1");
  EXPECT_EQ(endpoints[0].version, "3.4.23");
  EXPECT_EQ(endpoints[1].trouble, "told so");
  EXPECT_EQ(endpoints[2].trouble, "");
}

TEST_F(EtcdLinkTest, RefusesAClusterThatKnowsLessThanItHasTold) {
  open();
  take("x");
  const std::int64_t told = etcd_.revision;
  etcd_.revision = 3;
  const Reply reply = ask("x", Read{});
  ASSERT_TRUE(std::holds_alternative<Fault>(reply));
  EXPECT_EQ(std::get<Fault>(reply).kind, FaultKind::not_member);
  run_until([&] { return down_.has_value(); });
  EXPECT_TRUE(down_->text.contains("restored from a snapshot (it is at revision 3, and was at " +
                                   std::to_string(told) + ")"))
      << down_->text;
  down_.reset();
  link_->open();  // the same link
  run_until([&] { return down_.has_value(); });
  EXPECT_EQ(down_->code, Errc::bad_config);
  make();  // another process
  open();
  ASSERT_TRUE(down_);
  EXPECT_EQ(down_->code, Errc::bad_config);
}

TEST_F(EtcdLinkTest, MakesNoLocksWhereTheEndpointsAreOfTwoClusters) {
  etcd_.clusters = {{2, 9}};
  open();
  ASSERT_TRUE(down_);
  EXPECT_EQ(down_->code, Errc::bad_config);
  EXPECT_TRUE(down_->text.contains("c:1 is of etcd cluster ")) << down_->text;
  EXPECT_TRUE(etcd_.keys.empty());
}

TEST_F(EtcdLinkTest, MakesNoLocksBeforeMostEndpointsHaveAnswered) {
  etcd_.troubles = {{1, Kind::unknown}, {2, Kind::unknown}};
  open();
  ASSERT_TRUE(down_);
  EXPECT_EQ(down_->code, Errc::no_quorum);
  EXPECT_TRUE(etcd_.keys.empty());
  etcd_.troubles.erase(1);
  make();
  open();
  EXPECT_TRUE(greeting_);
}

// It may be far ahead of the right one: what it tells is not kept.
TEST_F(EtcdLinkTest, LeavesAnEndpointOfAnotherCluster) {
  open();
  take("x");
  link_->close();  // notes what it knows
  etcd_.spoil = [](EtcdOutcome& outcome) {
    outcome.revision = outcome.cluster == 9 ? 5'000'000 : outcome.revision;
  };
  for (const bool same_link : {true, false}) {
    etcd_.clusters = {{0, 9}};
    if (!same_link) {
      make();
    }
    greeting_.reset();
    link_->open();
    run_until([&] { return greeting_ || down_; });
    ASSERT_TRUE(greeting_) << down_->text;
    EXPECT_TRUE(std::holds_alternative<Answer>(ask("x", Read{})));
    link_->close();
  }
}

TEST_F(EtcdLinkTest, TakesAnAnswerThatCannotBeForNone) {
  open();
  const FencingToken token = take("x");
  int spoilt = 0;
  const auto spoil_once = [&](const std::function<void(EtcdOutcome&)>& how) {
    spoilt = 0;
    etcd_.spoil = [&spoilt, how](EtcdOutcome& outcome) {
      if (spoilt++ == 0) {
        how(outcome);
      }
    };
    const Reply reply = ask("x", Read{});
    ASSERT_TRUE(std::holds_alternative<Answer>(reply));
    EXPECT_NE(std::get<Answer>(reply).state.value->find(token), nullptr);
    EXPECT_EQ(spoilt, 2);
  };
  spoil_once([](EtcdOutcome& outcome) { outcome.ranges.clear(); });
  spoil_once([](EtcdOutcome& outcome) { outcome.ranges.pop_back(); });
  spoil_once([](EtcdOutcome& outcome) { outcome.revision = INT64_MAX; });
  spoil_once([](EtcdOutcome& outcome) { outcome.revision = -1; });
  spoil_once([](EtcdOutcome& outcome) { outcome.ranges[0][0].mod_revision = INT64_MAX; });
}

// A change without an answer is read for, never asked for again as it was.
TEST_F(EtcdLinkTest, RecognisesAGrantThatHadNoAnswer) {
  open();
  take("x");
  etcd_.spoil = [&](EtcdOutcome& outcome) {
    if (!etcd_.asked.back().txn.puts.empty()) {
      outcome.ranges.clear();
    }
  };
  const FencingToken token = take("y");
  EXPECT_EQ(parse_beat(etcd_.keys.at("/p/beat/y#0").value).value().token, token);
  EXPECT_EQ(etcd_.puts("/p/beat/y#"), 1U);
}

TEST_F(EtcdLinkTest, SignsInOnceForAllWhoWaitAndAgainWhenThatHasEnded) {
  make("user");
  open();
  EXPECT_EQ(etcd_.sign_ins, 1U);
  int ended = 3;  // of calls under way, all of one session
  etcd_.refuse = [&](const EtcdTxn&) {
    return ended-- > 0 ? std::optional(Kind::signed_out) : std::nullopt;
  };
  int answers = 0;
  for (const char* name : {"x", "y", "z"}) {
    link_->request(where_, name, Read{},
                   [&](const Reply& reply) { answers += std::holds_alternative<Answer>(reply); });
  }
  run_until([&] { return answers == 3; });
  EXPECT_EQ(etcd_.sign_ins, 2U);
}

TEST_F(EtcdLinkTest, PostsOfOneClientFollowEachOther) {
  open();
  ask("x", post(1, false));
  etcd_.holds = true;
  etcd_.asked.clear();
  int answers = 0;
  link_->request(where_, "x", post(2, false), [&](const Reply&) { ++answers; });
  link_->request(where_, "x", post(2, true), [&](const Reply&) { ++answers; });
  turn();
  EXPECT_EQ(etcd_.asked.size(), 1U) << "the second waits for the first";
  etcd_.holds = false;
  etcd_.held.front()();
  run_until([&] { return answers == 2; });
  EXPECT_FALSE(etcd_.keys.contains("/p/wait/x#abc")) << "nothing is left behind";
}

TEST_F(EtcdLinkTest, SendsTheHeartbeatsOfManyLocksTogether) {
  open();
  constexpr int kLocks = 100;
  std::vector<FencingToken> tokens;
  for (int lock = 0; lock < kLocks; ++lock) {
    tokens.push_back(take("l" + std::to_string(lock)));
  }
  etcd_.asked.clear();
  const auto beat_all = [&](std::uint32_t beat) {
    int beating = 0;
    int other = 0;
    for (int lock = 0; lock < kLocks; ++lock) {
      link_->request(where_, "l" + std::to_string(lock),
                     Heartbeat{tokens[static_cast<std::size_t>(lock)], beat, Ballot{}},
                     [&](const Reply& reply) {
                       const auto* answer = std::get_if<Answer>(&reply);
                       const bool fine = answer != nullptr && answer->verdict == Verdict::beating;
                       ++(fine ? beating : other);
                     });
    }
    run_until([&] { return beating + other == kLocks; });
    return beating;
  };
  EXPECT_EQ(beat_all(5), kLocks);
  EXPECT_EQ(etcd_.asked.size(), 2U);
  for (const auto& asked : etcd_.asked) {
    EXPECT_LE(asked.txn.compares.size(), 128U);
    EXPECT_LE(asked.txn.puts.size() + asked.txn.ranges.size(), 128U);
  }
  // One of them is lost: the others are renewed all the same.
  etcd_.keys.erase("/p/lock/l7");
  etcd_.keys.erase("/p/beat/l7#0");
  EXPECT_EQ(beat_all(6), kLocks - 1);
  EXPECT_EQ(parse_beat(etcd_.keys.at("/p/beat/l8#0").value).value().beat, 6U);
}

// Else every second renewal would find that the other one's key is not as it was remembered.
TEST_F(EtcdLinkTest, RemembersBothOfTwoHoldsThatWereRenewedTogether) {
  open();
  const FencingToken first = take("x");
  const Ballot ballot{.round = 5, .proposer = {1, 1}};
  const Reply promise = ask("x", Prepare{.ballot = ballot});
  ASSERT_EQ(std::get<Answer>(promise).verdict, Verdict::promise);
  Record both = *std::get<Answer>(promise).state.value;
  Holder holder = both.holders.front();
  const FencingToken second{first.value + 1};
  holder.token = second;
  holder.client = {"c2"};
  both.holders.push_back(holder);
  both.count = second.value;
  ASSERT_EQ(std::get<Answer>(ask("x", Accept{.ballot = ballot, .value = both})).verdict,
            Verdict::accepted);
  for (std::uint32_t beat = 1; beat <= 4; ++beat) {
    etcd_.asked.clear();
    int beating = 0;
    for (const FencingToken token : {first, second}) {
      link_->request(where_, "x", Heartbeat{token, beat, Ballot{}}, [&](const Reply& reply) {
        EXPECT_EQ(std::get<Answer>(reply).verdict, Verdict::beating);
        ++beating;
      });
    }
    run_until([&] { return beating == 2; });
    EXPECT_EQ(etcd_.asked.size(), 1U) << beat;
  }
}

TEST_F(EtcdLinkTest, MakesAFewLeasesForIdleRecordsAndThenNoMore) {
  open();
  const auto take_all = [&](const std::string& letter) {
    for (int lock = 0; lock < 1000; ++lock) {
      take(letter + std::to_string(lock));
    }
    return etcd_.grants;
  };
  const std::size_t grants = take_all("x");
  EXPECT_GT(grants, 1U);
  EXPECT_LE(grants, 64U);
  // A day may have ended just now.
  EXPECT_TRUE(take_all("y") == grants || take_all("z") <= 2 * grants + 64);
  EXPECT_EQ(etcd_.keys.at("/p/lock/x1").lease, 0) << "held";
}

TEST_F(EtcdLinkTest, ListsAllNamesAPageAtATime) {
  open();
  constexpr int kNames = 12000;
  for (int name = 0; name < kNames; ++name) {
    etcd_.put("/p/lock/n" + std::to_string(name), "");
  }
  etcd_.asked.clear();
  std::optional<Told> told;
  link_->ask(ListKeys{where_}, [&](Told got) { told = std::move(got); });
  run_until([&] { return told.has_value(); });
  EXPECT_EQ(std::get<Keys>(*told).names.size(), std::size_t{kNames});
  EXPECT_EQ(etcd_.asked.size(), 3U);
}

TEST_F(EtcdLinkTest, BeginsWithTheEndpointThatAnsweredLast) {
  etcd_.troubles = {{0, Kind::unknown}};
  open();
  etcd_.asked.clear();
  make();  // another process
  open();
  EXPECT_EQ(etcd_.asked.front().endpoint, 1U);
}

TEST_F(EtcdLinkTest, MayBeEndedByAnyReply) {
  open();
  const FencingToken token = take("x");
  const auto end_by = [&](const Request& request) {
    bool replied = false;
    link_->request(where_, "x", request, [&](const Reply&) {
      link_.reset();
      replied = true;
    });
    link_->request(where_, "x", request, [](const Reply&) { ADD_FAILURE() << "it has ended"; });
    run_until([&] { return replied; });
    turn();
    make();
    open();
  };
  end_by(Read{});
  end_by(Heartbeat{token, 3, Ballot{}});
  end_by(post(1, false));
  etcd_.refuse = [](const EtcdTxn&) { return std::optional(Kind::denied); };
  bool replied = false;
  link_->request(where_, "x", Read{}, [&](const Reply&) {
    link_.reset();
    replied = true;
  });
  run_until([&] { return replied; });
  etcd_.refuse = nullptr;
  make();
  open();
  etcd_.keys.erase("/p/group");  // the link tells that it is down, too
  replied = false;
  link_->request(where_, "x", Read{}, [&](const Reply&) {
    link_.reset();
    replied = true;
  });
  run_until([&] { return replied; });
  turn();
  EXPECT_FALSE(down_);
}

class EtcdLinkWatches : public EtcdLinkTest {
 protected:
  void watch(const std::string& name) {
    link_->watch(where_, name, {"w"}, [this](const Answer& answer) { news_.push_back(answer); });
    run_until([&] { return !news_.empty(); });  // what was before
    news_.clear();
  }

  std::vector<Answer> news_;
};

TEST_F(EtcdLinkWatches, TellsWhatChanged) {
  open();
  watch("x");
  const FencingToken token = take("x");
  ASSERT_EQ(etcd_.streams.size(), 1U);
  etcd_.streams[0]->tell(EtcdNews::Kind::changed, "/p/lock/x");
  run_until([&] { return !news_.empty(); });
  EXPECT_NE(news_[0].state.value->find(token), nullptr);
  link_->unwatch("x", {"w"});
  news_.clear();
  etcd_.streams[0]->tell(EtcdNews::Kind::changed, "/p/lock/x");
  turn();
  EXPECT_TRUE(news_.empty());
  link_->watch(where_, "y", {"w"}, [](const Answer&) {});
  run_until([&] { return !etcd_.streams[0]->watched.contains("/p/lock/x"); });
}

// Of many who wait, a change of holders concerns the next few.
TEST_F(EtcdLinkWatches, TellsNothingToOneFarBehindInLineUntilTheLockIsFreeOrItsOwn) {
  open();
  const auto queue_up = [&](const std::string& client, std::uint32_t number) {
    Post waits = post(1, false);
    waits.ticket.number = number;
    waits.ticket.claim.client = {client};
    ask("x", waits);
  };
  for (std::uint32_t number = 1; number <= 6; ++number) {
    queue_up("c" + std::to_string(number), number);
  }
  queue_up("w", 7);
  watch("x");
  const auto change_to = [&](const std::string& client) {
    const Reply seen = ask("x", Read{});
    const State& state = std::get<Answer>(seen).state;
    const Ballot mine{1, state.promised.round + 1, {1, 1}, 0};
    const Reply promise = ask("x", Prepare{.ballot = mine});
    Record record{.count = record_of(std::get<Answer>(promise).state).count + 1, .op = {"o"}};
    if (!client.empty()) {
      record.holders.push_back(
          {.token = {record.count}, .client = {client}, .op = {"o"}, .terms = {}, .who = "me"});
    }
    ask("x", Accept{.ballot = mine, .value = record});
    etcd_.streams[0]->tell(EtcdNews::Kind::changed, "/p/lock/x");
    turn();
    turn();
    return !std::exchange(news_, {}).empty();
  };
  EXPECT_FALSE(change_to("c1"));
  EXPECT_TRUE(change_to("w")) << "its own";
  queue_up("w", 8);
  EXPECT_TRUE(change_to("c2")) << "not any more";
  EXPECT_FALSE(change_to("c3")) << "fourth in line, for who has had the lock waits no more";
  EXPECT_TRUE(change_to("")) << "free";
  EXPECT_TRUE(change_to("c4")) << "third in line";
}

// Nothing is read for what the stream has told, but for the heir, who has to know who waits.
TEST_F(EtcdLinkWatches, ReadsForTheHeirOnly) {
  open();
  watch("x");
  const FencingToken token = take("x");
  etcd_.asked.clear();
  etcd_.streams[0]->tell(EtcdNews::Kind::changed, "/p/lock/x");
  run_until([&] { return !news_.empty(); });
  EXPECT_NE(news_[0].state.value->find(token), nullptr);
  EXPECT_TRUE(etcd_.asked.empty());
  news_.clear();
  link_->watch(where_, "x", {"c"}, [&](const Answer& answer) { news_.push_back(answer); });
  run_until([&] { return !news_.empty(); });
  EXPECT_NE(news_[0].state.value->find(token), nullptr);
  EXPECT_TRUE(etcd_.asked.empty()) << "the stream has told it";
  etcd_.put("/p/lock/x", etcd_.keys.at("/p/lock/x").value);  // as if it had been handed over now
  etcd_.streams[0]->tell(EtcdNews::Kind::changed, "/p/lock/x");
  run_until([&] { return !etcd_.asked.empty(); });
}

// Who queues is told of what comes after what it has read, without reading it once more.
TEST_F(EtcdLinkWatches, WatchesAtOnceFromWhatWasReadWhenSomebodyQueues) {
  open();
  ask("x", Read{});
  link_->watch(where_, "x", {"abc"}, [this](const Answer& answer) { news_.push_back(answer); });
  EXPECT_TRUE(etcd_.streams.empty());
  etcd_.asked.clear();
  ask("x", post(1, false));
  ASSERT_EQ(etcd_.streams.size(), 1U);
  EXPECT_EQ(etcd_.asked.size(), 1U) << "the ticket";
  take("y");
  etcd_.put("/p/lock/x", etcd_.keys.at("/p/lock/y").value);
  etcd_.streams[0]->tell(EtcdNews::Kind::changed, "/p/lock/x");
  run_until([&] { return !news_.empty(); });
}

// Who inherited a lock and has done with it at once saves the write of a renewal. A processor that
// is away for some milliseconds between two lines may spoil one try.
TEST_F(EtcdLinkTest, TheFirstRenewalOfAnInheritedLockMayBeSaved) {
  open();
  bool saved = false;
  for (int lock = 0; lock < 50 && !saved; ++lock) {
    const std::string name = "x" + std::to_string(lock);
    ask(name, post(1, false));
    const Ballot first{1, 1, {1, 1}, 0};
    const Reply promise = ask(name, Prepare{.ballot = first});
    Record record{.count = record_of(std::get<Answer>(promise).state).count + 1, .op = {"o"}};
    const FencingToken token{record.count};
    record.holders.push_back(
        {.token = token, .client = {"abc"}, .op = {"o"}, .terms = {}, .ticket = 1, .who = "me"});
    ask(name, Accept{.ballot = first, .value = record});
    const Ballot second{1, 2, {1, 1}, 0};
    ask(name, Prepare{.ballot = second});
    etcd_.asked.clear();
    std::optional<Reply> renewed;
    link_->request(where_, name, Heartbeat{token, 1, first},
                   [&](Reply got) { renewed = std::move(got); });
    ask(name, Accept{.ballot = second, .value = Record{.count = record.count, .op = {"end"}}});
    run_until([&] { return renewed.has_value(); });
    const auto* answer = std::get_if<Answer>(&*renewed);
    saved = etcd_.asked.size() == 1 && answer != nullptr && answer->verdict == Verdict::gone;
  }
  EXPECT_TRUE(saved);
}

TEST_F(EtcdLinkTest, TicketsShareALeaseWhileItIsYoung) {
  open();
  for (std::uint32_t refresh = 1; refresh <= 5; ++refresh) {
    ask("x", post(refresh, false));
    ask("y", post(refresh, false));
  }
  EXPECT_EQ(etcd_.grants, 1U);
  etcd_.leases.clear();  // it has ended before its time
  ask("x", post(6, false));
  EXPECT_EQ(etcd_.grants, 2U);
  EXPECT_TRUE(etcd_.leases.contains(etcd_.keys.at("/p/wait/x#abc").lease));
}

TEST_F(EtcdLinkWatches, BelievesNoStreamOfAnotherCluster) {
  open();
  watch("x");
  take("x");
  etcd_.clusters[0] = 8;
  etcd_.streams[0]->tell(EtcdNews::Kind::changed, "/p/lock/x");
  EXPECT_TRUE(news_.empty());
  run_until([&] { return !news_.empty(); });
  EXPECT_EQ(etcd_.streams_opened, 2U);
  EXPECT_NE(etcd_.streams[0]->endpoint, 0U);
}

TEST_F(EtcdLinkWatches, ReadsAgainWhatCouldNotBeRead) {
  open();
  watch("x");
  take("x");
  etcd_.spoil = [](EtcdOutcome& outcome) { outcome.ranges[0] = {{"/p/lock/x", "odd", 1, 1}}; };
  etcd_.streams[0]->handler({EtcdNews::Kind::missed, etcd_.streams[0]->watched.at("/p/lock/x")});
  const std::size_t asked = etcd_.asked.size();
  run_until([&] { return etcd_.asked.size() > asked; });
  turn();
  EXPECT_TRUE(news_.empty());
  etcd_.spoil = nullptr;
  run_until([&] { return !news_.empty(); });
  EXPECT_FALSE(news_[0].state.value->is_free());
}

TEST_F(EtcdLinkWatches, WatchesManyByOneStream) {
  open();
  watch("x");
  watch("y");
  EXPECT_EQ(etcd_.streams_opened, 1U);
  EXPECT_EQ(etcd_.streams[0]->watched.size(), 2U);
}

TEST_F(EtcdLinkWatches, TellsWhatItMissedWhenTheStreamEnds) {
  open();
  watch("x");
  take("x");  // of which the stream says nothing
  etcd_.streams[0]->handler({EtcdNews::Kind::over, 0, {}});
  run_until([&] { return !news_.empty(); });
  EXPECT_FALSE(news_[0].state.value->is_free());
  ASSERT_EQ(etcd_.streams.size(), 1U);
  EXPECT_NE(etcd_.streams[0]->endpoint, 0U) << "another endpoint";
}

TEST_F(EtcdLinkWatches, TellsWhatWasForgottenByCompaction) {
  open();
  watch("x");
  take("x");
  etcd_.streams[0]->tell(EtcdNews::Kind::missed, "/p/lock/x");
  run_until([&] { return !news_.empty(); });
  EXPECT_FALSE(news_[0].state.value->is_free());
  EXPECT_EQ(etcd_.streams_opened, 1U);
}

TEST_F(EtcdLinkWatches, FollowsToAnotherEndpointWhenItsOwnDoesNotAnswer) {
  open();
  watch("x");
  etcd_.troubles = {{0, Kind::unknown}};
  ask("y", Read{});
  run_until([&] { return etcd_.streams_opened == 2; });
  EXPECT_EQ(etcd_.streams[0]->endpoint, 1U);
}

}  // namespace
}  // namespace dexlock::testing
