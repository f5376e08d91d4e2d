// The same random requests to a home of the acceptor and to the pure function: the same answers,
// step by step. Several clients ask by turns, each with what it remembers of the store; in between
// the serving process is replaced and the machine starts anew. A failure prints its seed;
// DEXLOCK_SEED=N runs that one script alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "conformance/acceptor_homes.hpp"
#include "lock/random.hpp"
#include "register/promise_ceiling.hpp"

namespace dexlock::testing {
namespace {

constexpr int kSteps = 80;
constexpr int kClients = 3;
constexpr std::uint64_t kFirstSeed = 20261123;
// A store behind a shell starts several processes for each step, and etcd starts anew at a reboot.
constexpr std::uint64_t kScripts = 12;
constexpr std::uint64_t kScriptsOfSlowHomes = 1;

// What one server remembers, as the pure function has it, and requests that fit to it or nearly do.
class Script {
 public:
  Script(std::uint64_t seed, BootId boot, const Home& home, bool leaves_unsynced)
      : random_(seed), home_(home), leaves_unsynced_(leaves_unsynced) {
    rebooted(std::move(boot), true, false);
  }

  void reconnected() { tentative_.clear(); }

  // Where the first promise makes the record: what that is then.
  void begin_with(std::optional<Record> value) { durable_.value = std::move(value); }

  void rebooted(BootId boot, bool beats_kept, bool tickets_kept) {
    reconnected();
    boots_.push_back(std::move(boot));
    if (!tickets_kept) {
      soft_.tickets.clear();
    }
    soft_.promised.reset();
    ceiling_.lost = ceiling_.lost || std::exchange(unsynced_, false);
    if (!beats_kept) {
      soft_.beats.clear();
    }
  }

  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

  [[nodiscard]] Request request() {
    switch (below(9)) {
      case 0:
      case 1:
        return prepare();
      case 2:
      case 3:
        return accept();
      case 4:
      case 5:
        return heartbeat();
      case 6:
        return post();
      case 7:
        return fast();
      default:
        return Read{.durable = below(2) == 0};
    }
  }

  // What that client is to be answered.
  Answer apply_here(int client, const Request& request) {
    if (home_.promises_on_sight) {
      return apply_on_sight(client, request);
    }
    const Verdict verdict = apply_here(request);
    return {verdict, state()};
  }

  [[nodiscard]] State state() const { return state_of(durable_, soft_, boots_.back(), ceiling_); }

 private:
  Verdict apply_here(const Request& request) {
    if (!leaves_unsynced_) {
      return apply(durable_, soft_, boots_.back(), request).verdict;
    }
    const CeilingStep step = apply(durable_, soft_, boots_.back(), request, ceiling_);
    unsynced_ = unsynced_ || step.unsynced;
    return step.verdict;
  }

  // A promise changes nothing: it is made true with its value, over the very record it was given
  // on.
  Answer apply_on_sight(int client, const Request& request) {
    const BootId& boot = boots_.back();
    if (const auto* prepare = std::get_if<Prepare>(&request)) {
      Durable seen = durable_;
      const Verdict verdict = promise(seen, *prepare);
      if (verdict == Verdict::promise) {
        tentative_.insert_or_assign(client, Tentative{*prepare, durable_});
      }
      return {verdict, state_of(seen, soft_, boot)};
    }
    Durable next = durable_;
    if (const auto* accept = std::get_if<Accept>(&request)) {
      const auto at = tentative_.find(client);
      std::optional<Tentative> promised;
      if (at != tentative_.end() && at->second.prepare.ballot == accept->ballot) {
        promised = std::move(at->second);
        tentative_.erase(at);
      }
      const bool takes =
          promised && promised->seen == durable_
              ? promise(next, promised->prepare) == Verdict::promise
              : accept->ballot == durable_.promised || accept->ballot == durable_.accepted;
      if (!takes) {
        return {Verdict::low, state_of(durable_, soft_, boot)};
      }
    }
    Step step = apply(next, soft_, boot, request);
    if (const auto* beat = std::get_if<Heartbeat>(&request);
        beat != nullptr && home_.forgets_past_beats && step.verdict == Verdict::behind &&
        durable_.value && beat->token.value <= durable_.value->count) {
      step.verdict = Verdict::gone;  // it was granted, and nobody can overrule that it has ended
    }
    if (step.durable_changed) {
      durable_ = std::move(next);
      std::erase_if(soft_.beats, [&](const auto& beat) {
        return !durable_.value || durable_.value->find(beat.first) == nullptr;
      });
    }
    return {step.verdict, state_of(durable_, soft_, boot)};
  }

  // A record that was removed and made anew begins below the rounds of its clients.
  Verdict promise(Durable& durable, const Prepare& prepare) {
    if (home_.forgets_past_beats && prepare.ballot.round > kRoundStepMax) {
      durable.promised.round =
          std::max(durable.promised.round, prepare.ballot.round - kRoundStepMax);
    }
    return apply(durable, soft_, boots_.back(), prepare).verdict;
  }

  [[nodiscard]] std::uint32_t small(std::uint64_t bound) {
    return static_cast<std::uint32_t>(below(bound));
  }
  [[nodiscard]] Ballot near(const Ballot& base) {
    const std::uint32_t round = base.round + small(3);
    return ballot(round > 0 && below(4) == 0 ? round - 1 : round, 1 + small(2));
  }
  [[nodiscard]] FencingToken token() { return {1 + below(4)}; }
  [[nodiscard]] ClientId client() { return {std::string(1, "abc"[below(3)])}; }

  [[nodiscard]] std::uint32_t near_beat(FencingToken token) {
    const auto at = soft_.beats.find(token);
    const std::uint32_t beat = at == soft_.beats.end() ? 0 : at->second;
    return beat + small(3) - (beat > 0 ? 1 : 0);
  }

  [[nodiscard]] Request prepare() {
    Prepare prepare{.ballot = near(state().promised), .intent = static_cast<Intent>(small(4))};
    if (below(16) == 0) {
      prepare.ballot.round += kRoundStepMax;
    }
    if (prepare.intent == Intent::acquire) {
      prepare.claim = {.client = client(), .mode = below(2) == 0 ? Mode::exclusive : Mode::shared};
    }
    if (prepare.intent == Intent::evict || prepare.intent == Intent::force) {
      prepare.victim = token();
    }
    if (prepare.intent == Intent::evict) {
      prepare.beat = near_beat(prepare.victim);
      prepare.boots = {boots_[below(boots_.size())]};
      if (below(2) == 0 && boots_.size() > 1) {
        prepare.boots.push_back(boots_.back());
      }
    }
    return prepare;
  }

  [[nodiscard]] Request accept() {
    const std::uint64_t count = 1 + below(4);
    Record value{.count = count, .op = {"free" + std::to_string(count)}};
    if (below(3) != 0) {
      value = held_by(client().text, count);
      if (count > 1 && below(2) == 0) {
        value.holders.push_back(value.holders.front());
        value.holders.back().token = {count - 1};
        value.holders.back().client = client();
        value.holders.front().mode = value.holders.back().mode = Mode::shared;
      }
    }
    const Ballot promised = state().promised;
    Accept accept{.ballot = below(3) == 0 ? near(promised) : promised,
                  .value = std::move(value),
                  .open = below(2) == 0};
    if (below(8) == 0) {
      accept.ballot = durable_.accepted;  // once more, or another value at this very ballot
    }
    if (below(2) == 0) {
      accept.next = ballot(accept.ballot.round + 1);
    }
    return accept;
  }

  [[nodiscard]] Request heartbeat() {
    const FencingToken whose = token();
    Ballot granted = durable_.accepted;
    granted.round += small(2);
    return Heartbeat{whose, near_beat(whose), granted};
  }

  [[nodiscard]] Request fast() {
    return Fast{.asker = {.claim = {.client = client()}, .proposer = {1 + small(2), 1}},
                .op = {"op" + std::to_string(below(3))}};
  }

  [[nodiscard]] Request post() {
    return Post{.ticket = {.number = 1 + small(3),
                           .claim = {.client = client()},
                           .refresh = small(4),
                           .ttl = std::chrono::hours(1),
                           .who = "waits"},
                .remove = below(3) == 0};
  }

  struct Tentative {
    Prepare prepare;
    Durable seen;
  };

  Random random_;
  const Home& home_;
  std::map<int, Tentative> tentative_;  // by client, where promises are given on sight
  Durable durable_ = absent_record(Epoch{1});
  Soft soft_;
  std::vector<BootId> boots_;  // the present one last
  bool leaves_unsynced_;
  bool unsynced_ = false;  // a promise since the last reboot
  PromiseCeiling ceiling_;
};

std::vector<std::string> texts_of(std::vector<Ticket> tickets) {
  std::ranges::sort(tickets, senior);
  std::vector<std::string> texts;
  std::ranges::transform(tickets, std::back_inserter(texts), ticket_text);
  return texts;
}

class RandomRequests : public ::testing::TestWithParam<Home> {
 protected:
  void SetUp() override {
    if (const std::string why = why_skipped(GetParam()); !why.empty()) {
      GTEST_SKIP() << why;
    }
    if (GetParam().promises_on_sight && !GetParam().forgets_past_beats) {
      GTEST_SKIP() << "takes values only on promises of its own; see the tests of SoleAcceptor";
    }
  }

  static Answer ask(AcceptorPort& port, const Request& request) {
    const Reply reply = port.ask("jobs/Nightly:1", request);
    if (const auto* fault = std::get_if<Fault>(&reply)) {
      ADD_FAILURE() << "fault: " << fault->text;
      return {};
    }
    return std::get<Answer>(reply);
  }

  static void expect_same(const Answer& got, const Answer& answer, bool tickets) {
    const State& wanted = answer.state;
    EXPECT_EQ(got.verdict, answer.verdict);
    EXPECT_EQ(got.state.promised, wanted.promised);
    EXPECT_EQ(got.state.fence, wanted.fence);
    EXPECT_EQ(got.state.accepted, wanted.accepted);
    EXPECT_EQ(got.state.open, wanted.open);
    EXPECT_EQ(got.state.value, wanted.value);
    EXPECT_EQ(got.state.beats, wanted.beats);
    EXPECT_EQ(got.state.boot, wanted.boot);
    if (tickets) {
      EXPECT_EQ(texts_of(got.state.tickets), texts_of(wanted.tickets));
    }
  }

  static void run(std::uint64_t seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto port = GetParam().make();
    Script script(seed, ask(*port, Read{}).state.boot, GetParam(),
                  port->leaves_promises_unsynced());
    if (GetParam().forgets_past_beats) {
      script.begin_with(ask(*port, Prepare{.ballot = ballot(1)}).state.value);
      port->reconnect();
    }
    for (int step = 0; step < kSteps && !HasFailure(); ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      if (script.below(16) == 0) {
        port->reconnect();
        script.reconnected();
      } else if (script.below(24) == 0) {
        port->reboot();
        script.rebooted(ask(*port, Read{}).state.boot, port->keeps_beats_over_a_reboot(),
                        port->keeps_tickets_over_a_reboot());
      }
      const auto client = static_cast<int>(script.below(kClients));
      port->turn_to(client);
      const Request request = script.request();
      const Answer wanted = script.apply_here(client, request);
      expect_same(ask(*port, request), wanted, port->shows_tickets());
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Homes, RandomRequests, ::testing::ValuesIn(homes()),
                         [](const auto& of) { return of.param.name; });

TEST_P(RandomRequests, AreAnsweredAsThePureFunctionDoes) {
  if (const char* seed = std::getenv("DEXLOCK_SEED")) {
    run(std::strtoull(seed, nullptr, 10));
    return;
  }
  const std::uint64_t scripts = GetParam().program == "sh" ? kScripts : kScriptsOfSlowHomes;
  for (std::uint64_t i = 0; i < scripts && !HasFailure(); ++i) {
    run(kFirstSeed + i);
  }
}

}  // namespace
}  // namespace dexlock::testing
