#include "dexlock/one_shot.hpp"

#include <algorithm>
#include <cstdlib>
#include <thread>
#include <utility>

#include "client/clock.hpp"
#include "client/closed_text.hpp"
#include "client/held_text.hpp"
#include "client/one_shot_call.hpp"
#include "client/owned_lock.hpp"
#include "client/shown_holders.hpp"
#include "lease/timing.hpp"
#include "store/machine.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShortestCall{5'000};
constexpr milliseconds kInitLimit{20'000};
constexpr milliseconds kTidyLimit{1'000};
constexpr milliseconds kAnswerTime{20};  // from the end of a call's patience to its exit status

milliseconds in_ms(Nanoseconds span) { return std::chrono::duration_cast<milliseconds>(span); }

milliseconds longest_call(const OneShotOptions& options) {
  return options.patience.value_or(std::max(3 * options.step, kShortestCall));
}

std::string busy_text(const Busy& busy, const Claim& claim) {
  std::string text = held_text(busy.record, claim);
  if (busy.takeover) {
    text += "; if it is dead, free in " + std::to_string(in_ms(*busy.takeover).count()) + " ms";
  }
  return text;
}

// One get-lock call, from the first connection to its answer.
class GetCall {
 public:
  GetCall(OwnedLock& prepared, const OneShotOptions& options)
      : prepared_(prepared),
        options_(options),
        call_(prepared.context, prepared.name, options.keeper) {}

  Result<GetOutcome> run(Remarks& remarks) {
    const Instant began = now();
    const bool holding = is_holding(began);
    const milliseconds longest = limit(began);
    call_.run(longest, {.on_ready = [this, holding] { on_ready(holding); },
                        .on_event = [this](const Event& event) { on_event(event); },
                        .on_change =
                            [this] {
                              if (call_.hopeless()) {
                                no_quorum_ = true;
                                call_.finish();
                              }
                            }});
    if (yielding_) {
      std::this_thread::sleep_for(options_.delay);
      call_.again(
          longest, [this] { call_.driver()->acquire(Patience::once); },
          [this](const Event& event) { on_event(event); });
    }
    if (lapsed_) {
      give_up();
    }
    call_.remember();
    call_.collect_remarks(remarks);
    return outcome();
  }

 private:
  [[nodiscard]] bool is_holding(Instant at) const {
    const Saved& saved = prepared_.saved;
    return saved.token.value != 0 && Belief(saved.start, saved.lease).holds(at);
  }

  // A renewal ends while the caller can still rely on what is left, if that is so already.
  [[nodiscard]] milliseconds limit(Instant at) const {
    const milliseconds longest = longest_call(options_);
    if (!is_holding(at)) {
      return longest;
    }
    const milliseconds left =
        in_ms(Belief(prepared_.saved.start, prepared_.saved.lease).remaining(at));
    const milliseconds spare = left - 2 * options_.step - kAnswerTime;
    return std::min(longest, spare.count() > 0 ? spare : left);
  }

  void on_ready(bool holding) {
    const std::string& group = call_.cluster().group()->id;
    if (prepared_.saved.group != group) {  // what is saved means nothing to these servers
      prepared_.saved = prepared_.state.blank();
      prepared_.saved.group = group;
      holding = false;
    }
    if (holding && holds_otherwise()) {
      return;
    }
    const Claim claim = claim_of(prepared_.saved.client, options_.sharing);
    const Terms terms{options_.timeout, options_.stop_timeout,
                      claim_lease(options_.timeout, options_.step), kDriftPpm};
    LockDriver& driver = call_.drive(claim, terms, options_.step, prepared_.who(), prepared_.state);
    driver.resume(prepared_.saved);
    if (holding && driver.session().holds(now())) {
      driver.renew();
    } else if (options_.delay.count() > 0) {
      driver.view();
    } else {
      driver.acquire(Patience::once);
    }
  }

  void on_viewed() {
    yielding_ = call_.driver()->session().may_be_had(now());
    if (yielding_) {
      call_.finish();
    } else {
      call_.driver()->acquire(Patience::once);
    }
  }

  // Success would tell the caller that it holds what it asked for.
  bool holds_otherwise() {
    const Saved& saved = prepared_.saved;
    if (!saved.record || saved.record->find(saved.token) == nullptr) {
      return false;
    }
    const Sharing held = sharing_of(*saved.record, saved.token);
    if (held == options_.sharing) {
      return false;
    }
    call_.fail_with(Error{Errc::bad_argument, "this owner holds the lock " + sharing_text(held) +
                                                  ", not " + sharing_text(options_.sharing) +
                                                  "; release it first"});
    return true;
  }

  void on_event(const Event& event) {
    if (std::holds_alternative<Granted>(event) || std::holds_alternative<Renewed>(event)) {
      fresh_ = true;
      call_.finish();
    } else if (std::holds_alternative<Viewed>(event)) {
      on_viewed();
    } else if (const auto* busy = std::get_if<Busy>(&event)) {
      reason_ = busy_text(*busy, claim_of({}, options_.sharing));
      call_.finish();
    } else if (const auto* closed = std::get_if<Closed>(&event)) {
      reason_ = closed_text(*closed);
      call_.finish();
    } else if (const auto* lost = std::get_if<Lost>(&event)) {
      lapsed_ = true;
      reason_ = "lost: " + lost->why;
      call_.finish();
    } else if (std::holds_alternative<AlarmRaised>(event)) {
      call_.fail_with(Error{Errc::store_damaged,
                            "two values were proposed under one ballot: two clients run with one "
                            "identity (a cloned machine?); this lock cannot be used"});
    } else if (std::holds_alternative<NoQuorum>(event)) {
      no_quorum_ = true;
      call_.finish();
    }
  }

  // Lost within this very call (it was stopped for too long): others need not wait for us.
  void give_up() {
    if (LockDriver* driver = call_.driver()) {
      call_.again(
          kTidyLimit, [driver] { driver->release(); },
          [this](const Event& event) {
            if (std::holds_alternative<Released>(event)) {
              call_.finish();
            }
          });
    }
  }

  // The clock is read here once more, as the very last act: whatever happened in between, 0 is only
  // for a lease that still runs.
  Result<GetOutcome> outcome() {
    if (call_.error()) {
      return std::unexpected(*call_.error());
    }
    const Instant at = now();
    const LockDriver* driver = call_.driver();
    GetOutcome outcome{.reason = reason_};
    tell_who(outcome, driver);
    const Nanoseconds left = remaining(driver, at);
    const Nanoseconds wanted = fresh_ ? std::min<Nanoseconds>(2 * options_.step, lease(driver) / 2)
                                      : Nanoseconds(2 * options_.step);
    if (!lapsed_ && reason_.empty() && left.count() > 0 && left >= wanted) {
      outcome.held = true;
      outcome.left = in_ms(left);
      outcome.token =
          driver != nullptr ? driver->session().token().value : prepared_.saved.token.value;
      return outcome;
    }
    if (reason_.empty() && fresh_) {
      outcome.reason = "confirmed, but too little of the lease is left";
      return outcome;
    }
    if (reason_.empty()) {
      return std::unexpected(call_.why_no_quorum());
    }
    return outcome;
  }

  void tell_who(GetOutcome& outcome, const LockDriver* driver) {
    if (driver == nullptr) {
      return;
    }
    const Session& session = driver->session();
    const Record record =
        session.record() && session.holds(now()) ? *session.record() : newest_record(session);
    outcome.holder_token = make_token(call_.cluster().group()->epoch, record.count).value;
    if (!record.is_free()) {
      const Holder* mine = record.find(prepared_.saved.client);
      const Holder& holder = mine != nullptr ? *mine : record.holders.front();
      outcome.holder = holder.who.empty() ? holder.client.text : holder.who;
      outcome.holder_token = holder.token.value;
      outcome.heartbeat = mine != nullptr ? session.saved().beat : 0;
      for (const auto& state : session.states()) {
        if (state && state->beats.contains(holder.token)) {
          outcome.heartbeat = std::max(outcome.heartbeat, state->beats.at(holder.token));
        }
      }
    }
    if (record.last) {
      outcome.departed = record.last->who.empty() ? record.last->client.text : record.last->who;
    }
  }

  // As the record has it, whatever this call asks for.
  [[nodiscard]] Nanoseconds lease(const LockDriver* driver) const {
    const auto* belief = driver != nullptr ? &driver->session().belief() : nullptr;
    return belief != nullptr && *belief ? (*belief)->lease() : Nanoseconds(options_.timeout);
  }

  [[nodiscard]] Nanoseconds remaining(const LockDriver* driver, Instant at) const {
    if (driver != nullptr) {
      const auto& belief = driver->session().belief();
      return belief ? belief->remaining(at) : Nanoseconds(0);
    }
    return is_holding(at) ? Belief(prepared_.saved.start, prepared_.saved.lease).remaining(at)
                          : Nanoseconds(0);
  }

  OwnedLock& prepared_;
  const OneShotOptions& options_;
  OneShotCall call_;
  bool fresh_ = false;
  bool lapsed_ = false;
  bool no_quorum_ = false;
  bool yielding_ = false;  // to those with a shorter delay
  std::string reason_;
};

// Releases what `prepared` holds or may hold; true once a majority has confirmed it.
Result<bool> release(OwnedLock& prepared, milliseconds limit,
                     const std::optional<KeeperUse>& keeper, Remarks& remarks) {
  if (prepared.saved.token.value == 0 && !prepared.saved.maybe_listed) {
    return true;
  }
  Saved ended = prepared.saved;  // first of all the belief ends, whatever becomes of the rest
  ended.token = FencingToken{};
  ended.maybe_listed = true;
  ended.sticky.reset();
  if (const auto saved = prepared.state.save(ended); !saved) {
    return std::unexpected(saved.error());
  }
  OneShotCall call(prepared.context, prepared.name, keeper);
  const bool done = call.run(
      limit, {.on_ready =
                  [&] {
                    if (prepared.saved.group != call.cluster().group()->id) {
                      call.finish();  // it is held elsewhere, if at all
                      return;
                    }
                    LockDriver& driver = call.drive(Claim{.client = prepared.saved.client},
                                                    Terms{.lease = milliseconds(1)}, {},
                                                    prepared.who(), prepared.state);
                    driver.resume(prepared.saved);
                    driver.release();
                  },
              .on_event =
                  [&](const Event& event) {
                    if (std::holds_alternative<Released>(event)) {
                      call.finish();
                    } else if (std::holds_alternative<Closed>(event)) {
                      call.fail_with(Error{Errc::bad_config,
                                           "a newer version of dex-lock wrote the record of this "
                                           "lock; upgrade"});
                    }
                  },
              .on_change = [] {}});
  call.collect_remarks(remarks);
  if (call.error()) {
    return std::unexpected(*call.error());
  }
  if (!done) {
    return std::unexpected(call.why_no_quorum());
  }
  prepared.state.forget();
  return true;
}

}  // namespace

Result<std::vector<std::string>> check_configuration() {
  auto context = ClientContext::load();
  if (!context) {
    return std::unexpected(context.error());
  }
  return std::move(context->config.warnings);
}

Result<GetOutcome> get_lock(const OneShotOptions& options, Remarks& remarks) {
  auto prepared = OwnedLock::open(options, longest_call(options));
  if (!prepared) {
    return std::unexpected(prepared.error());
  }
  return GetCall(*prepared, options).run(remarks);
}

Result<void> release_lock(const OneShotOptions& options, Remarks& remarks) {
  auto prepared = OwnedLock::open(options, kShortestCall);
  if (!prepared) {
    return std::unexpected(prepared.error());
  }
  const auto released = release(*prepared, kShortestCall, options.keeper, remarks);
  if (!released) {
    return std::unexpected(released.error());
  }
  prepared->state.forget();
  return {};
}

Result<void> init_lock(const OneShotOptions& options, Remarks& remarks) {
  auto prepared = OwnedLock::open(options, kShortestCall);
  if (!prepared) {
    return std::unexpected(prepared.error());
  }
  const Config& config = prepared->context.config;
  remarks.warnings = config.warnings;
  if (config.embedded_default) {
    remarks.notes.push_back(
        "no lock servers are configured: this user's own store on this machine "
        "serves, " +
        prepared->context.paths.store_dir.string());
  }
  if (options.new_group) {
    prepared->context.memory.forget_group();
  }
  Remarks ignored;
  static_cast<void>(
      release(*prepared, kTidyLimit, std::nullopt, ignored));  // what is left of a former life
  prepared->state.forget();

  OneShotCall call(prepared->context, prepared->name);
  call.run(kInitLimit, {.on_ready = [] {},
                        .on_event = [](const Event&) {},
                        .on_change =
                            [&call] {
                              if (call.cluster().settled()) {
                                call.finish();
                              }
                            }});
  if (call.error()) {
    return std::unexpected(*call.error());
  }
  call.collect_remarks(remarks);
  for (std::size_t server = 0; server < call.cluster().size(); ++server) {
    if (const auto view = call.cluster().view(server, prepared->name); view.down) {
      remarks.warnings.push_back(view.down->text);
    }
  }
  for (const AssemblyProblem& problem : call.cluster().assembly().problems()) {
    remarks.warnings.push_back(problem.text);
  }
  for (std::size_t server = 0; server < call.cluster().size(); ++server) {
    const auto view = call.cluster().view(server, prepared->name);
    if (view.down && must_correct(view.down->code)) {
      return fail(view.down->code, view.down->text);
    }
  }
  if (!call.cluster().group() || call.hopeless()) {
    return std::unexpected(call.why_no_quorum());
  }
  return {};
}

}  // namespace dexlock
