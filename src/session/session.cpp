#include "session/session.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "lock/invariant.hpp"
#include "lock/quorum.hpp"
#include "register/acceptor.hpp"

namespace dexlock {
namespace {

// The servers' answers to a fast ballot are waited for longer than a majority's: a part of the time
// that took, or as long again while that is short. Giving up too early costs two more round trips,
// and two more flushes on each server.
constexpr std::int64_t kFastSpread = 6;
constexpr Nanoseconds kShortestSpread = std::chrono::milliseconds(1);
constexpr Nanoseconds kShortSpread = std::chrono::milliseconds(2);

// Attempts from here on are not the proposer's but heartbeats, looks and repairs.
constexpr AttemptId kFirstSideAttempt = 0x40000000;
constexpr AttemptId kNoAttempt = UINT32_MAX;

constexpr Nanoseconds kLongestBackOff = std::chrono::seconds(1);
constexpr Nanoseconds kShortestRoundTrip = std::chrono::milliseconds(1);
constexpr Nanoseconds kLongestRoundTrip = std::chrono::milliseconds(100);
constexpr std::uint32_t kBackOffDoublings = 8;
constexpr std::size_t kObserversMax = 2 * kHoldersMax;

bool proposes(const ProposerOutput& produced) {
  if (produced.sends.empty()) {
    return false;
  }
  const Request& request = produced.sends.front().request;
  return std::holds_alternative<Accept>(request) || std::holds_alternative<Fast>(request);
}

}  // namespace

Session::Session(SessionSetup setup)
    : setup_(std::move(setup)),
      random_(setup_.seed),
      proposer_(setup_.servers, setup_.epoch, setup_.proposer),
      side_attempt_(kFirstSideAttempt),
      queue_(setup_.servers),
      granted_at_(zero_ballot(setup_.epoch)),
      states_(setup_.servers) {
  INVARIANT(is_id_text(setup_.claim.client.text));
  INVARIANT(setup_.terms.lease.count() > 0);
}

void Session::resume(const Saved& saved) {
  INVARIANT(saved.client == setup_.claim.client);
  INVARIANT(saved.group == setup_.group);
  INVARIANT(goal_ == Goal::nothing);
  had_it_before_ = saved.granted_at > zero_ballot(setup_.epoch);
  beat_number_ = saved.beat;
  maybe_listed_ = saved.maybe_listed || saved.token.value != 0;
  listed_late_ = saved.maybe_listed;
  place_ = saved.place;
  refresh_number_ = place_ ? place_->refresh : 0;
  proposer_.start_above(saved.granted_at.round);
  if (saved.token.value != 0 && saved.record) {
    token_ = saved.token;
    granted_at_ = saved.granted_at;
    record_ = saved.record;
    belief_.emplace(saved.start, saved.lease);
    plain_sticky_ = saved.sticky;
  }
}

Saved Session::saved() const {
  Saved saved{.client = setup_.claim.client, .group = setup_.group, .granted_at = granted_at_};
  saved.beat = beat_number_;
  saved.maybe_listed = maybe_listed_;
  saved.place = place_;
  if (belief_) {
    saved.token = token_;
    saved.record = record_;
    saved.start = belief_->start();
    saved.lease = belief_->lease();
    // Where the promise may serve a hand-over, no copy of it may serve anything.
    // Elsewhere it is for one value only, a function of its base.
    const auto& sticky = sticky_ ? sticky_ : plain_sticky_;
    if (!setup_.queues && sticky && plain_release(sticky->base, token_).next) {
      saved.sticky = sticky;
    }
  }
  return saved;
}

void Session::recall(const GrantId& victim, std::size_t server, const Sighting& sighting) {
  observers_.try_emplace(victim, victim, setup_.servers).first->second.recall(server, sighting);
}

SessionOutput Session::on_reply(std::size_t server, AttemptId attempt, const Reply& reply,
                                Instant now) {
  INVARIANT(server < setup_.servers);
  SessionOutput output;
  const auto* answer = std::get_if<Answer>(&reply);
  if (answer != nullptr) {
    observe(server, answer->state, now);
    proposer_.saw(answer->state);
  }
  if (lapse(output, now) || (answer != nullptr && inherit(output, now))) {
    return output;
  }
  if (attempt < kFirstSideAttempt) {
    take(output, proposer_.on_reply(server, attempt, reply, now), now);
  } else if (look_ && attempt == look_->attempt) {
    on_look_reply(output, server, answer != nullptr, now);
  } else if (Beat* beat = find_beat(attempt)) {
    on_beat_reply(output, *beat, server, reply, now);
  } else if (answer != nullptr && answer->verdict == Verdict::two_values && belief_) {
    alarm(output, granted_at_);
  } else if (answer != nullptr) {
    on_repaired(output, server, *answer);
  }
  return output;
}

SessionOutput Session::on_news(std::size_t server, const Answer& news, Instant now) {
  SessionOutput output = on_reply(server, kNoAttempt, news, now);
  hasten(now);
  return output;
}

SessionOutput Session::on_wake(Instant now) {
  SessionOutput output;
  if (lapse(output, now)) {
    return output;
  }
  const bool late = attempt_started_ && now.boot - attempt_started_->boot >= setup_.attempt_limit;
  if (!late && fast_until_ && now.boot >= *fast_until_) {
    fast_until_.reset();
    if (proposer_.waits_for_fast_quorum()) {
      take(output, proposer_.settle_fast(), now);
    }
  }
  if (late && look_) {
    look_.reset();
    attempt_started_.reset();
    output.events.emplace_back(NoQuorum{});
    pause(AfterPause::look, setup_.poll_max, now);
  } else if (late) {
    take(output, proposer_.abandon(), now);
  }
  if (pause_from_ && now.boot - pause_from_->boot >= pause_length_) {
    pause_from_.reset();
    next_step(output, now);
  }
  return output;
}

std::optional<Nanoseconds> Session::wake_at() const {
  std::optional<Nanoseconds> at;
  const auto consider = [&](Nanoseconds moment) { at = at ? std::min(*at, moment) : moment; };
  if (attempt_started_) {
    consider(attempt_started_->boot + setup_.attempt_limit);
  }
  if (fast_until_) {
    consider(*fast_until_);
  }
  if (pause_from_) {
    consider(pause_from_->boot + pause_length_);
  }
  if (belief_) {
    consider(belief_->start().boot + belief_->lease());
  }
  return at;
}

// Passes on what the proposer produced. Before a value that may grant the lock leaves, it must be
// on record that this client may be listed from now on.
void Session::take(SessionOutput& output, ProposerOutput produced, Instant now) {
  if (proposes(produced) && (errand_ == Errand::acquire || errand_ == Errand::evict)) {
    maybe_listed_ = true;
    output.save = true;
    if (!op_sent_) {
      op_sent_ = now;
    }
    if (std::holds_alternative<Fast>(produced.sends.front().request)) {
      listed_late_ = true;
    }
  }
  if (proposes(produced) && errand_ == Errand::hand_over) {
    goal_ = Goal::release;  // whatever becomes of it
    belief_.reset();
    beats_.clear();
    output.save = true;
  }
  if (proposes(produced) && errand_ == Errand::amend) {
    const auto& accept = std::get<Accept>(produced.sends.front().request);
    amendment_sent_ = amendment_sent_ || accept.value.op == purpose_op_;
  }
  std::ranges::move(produced.sends, std::back_inserter(output.sends));
  if (!proposer_.waits_for_fast_quorum()) {
    fast_until_.reset();
  } else if (!fast_until_) {
    INVARIANT(attempt_started_.has_value());
    const Nanoseconds so_far = now.boot - attempt_started_->boot;
    fast_until_ = now.boot +
                  std::max(so_far / kFastSpread, std::clamp(so_far, kShortestSpread, kShortSpread));
  }
  if (produced.done) {
    on_done(output, *produced.done, now);
  }
}

void Session::start(SessionOutput& output, Errand errand, Operation operation,
                    std::optional<Sticky> sticky, Instant now) {
  INVARIANT(proposer_.idle());
  INVARIANT(!look_);
  errand_ = errand;
  attempt_started_ = now;
  take(output, proposer_.start(std::move(operation), std::move(sticky), now), now);
}

void Session::on_done(SessionOutput& output, const Outcome& outcome, Instant now) {
  const Errand errand = std::exchange(errand_, Errand::none);
  if (attempt_started_) {
    round_trip_ =
        std::clamp((now.boot - attempt_started_->boot) / 2, kShortestRoundTrip, kLongestRoundTrip);
  }
  attempt_started_.reset();
  if (const auto* alarm = std::get_if<Alarm>(&outcome)) {
    this->alarm(output, alarm->ballot);
    return;
  }
  const auto* chosen = std::get_if<Chosen>(&outcome);
  switch (errand) {
    case Errand::acquire:
    case Errand::evict:
      if (chosen != nullptr) {
        on_grant(output, *chosen, now);
      } else {
        on_acquire_failed(output, errand, outcome, now);
      }
      return;
    case Errand::confirm:
      if (chosen != nullptr) {
        on_confirmed(output, *chosen, now);
      } else if (const auto* declined = std::get_if<DeclinedBy>(&outcome)) {
        on_confirm_declined(output, declined->declined, now);
      } else {
        back_off(now);
      }
      return;
    case Errand::release:
      if (chosen != nullptr) {
        on_released(output, *chosen);
      } else if (const auto* declined = std::get_if<DeclinedBy>(&outcome);
                 declined != nullptr && declined->declined == Declined::too_new) {
        goal_ = Goal::nothing;
        output.events.emplace_back(Closed{declined->declined, declined->base, false});
      } else {
        back_off(now);
      }
      return;
    case Errand::hand_over:
      on_hand_over_done(output, outcome, now);
      return;
    case Errand::amend:
      on_amend_done(output, outcome, now);
      return;
    case Errand::none:
      break;
  }
  INVARIANT(errand != Errand::none);
}

void Session::alarm(SessionOutput& output, const Ballot& ballot) {
  goal_ = Goal::nothing;
  if (belief_) {
    lose(output, "two values were proposed under one ballot");
  }
  output.events.emplace_back(AlarmRaised{ballot});
}

void Session::next_step(SessionOutput& output, Instant now) {
  if (!proposer_.idle() || look_) {
    return;
  }
  if (goal_ == Goal::release) {
    start_release(output, now);
  } else if (goal_ == Goal::acquire && after_pause_ == AfterPause::look) {
    look(output, now);
  } else if (goal_ == Goal::acquire) {
    start_acquire(output, now);
  } else if (goal_ == Goal::view) {
    look(output, now);
  } else if (goal_ == Goal::amend) {
    start_amend(output, now);
  } else if (goal_ == Goal::hand_over) {
    start_hand_over(output, now);
  } else if (belief_) {
    start_confirm(output, now);
  }
}

void Session::pause(AfterPause then, Nanoseconds length, Instant now) {
  after_pause_ = then;
  pause_from_ = now;
  pause_length_ = length;
}

// At once the first time, which is mostly just a round number not known yet; then uniform between
// nothing and a doubling multiple of the round trip, so that rivals fall apart.
void Session::back_off(Instant now) {
  if (conflicts_++ == 0) {
    pause(AfterPause::propose, Nanoseconds(0), now);
    return;
  }
  const Nanoseconds widest =
      std::min(kLongestBackOff, 2 * std::max(round_trip_, kShortestRoundTrip) *
                                    (std::int64_t{1} << std::min(conflicts_, kBackOffDoublings)));
  pause(AfterPause::propose,
        Nanoseconds(random_.below(static_cast<std::uint64_t>(widest.count()) + 1)), now);
}

void Session::observe(std::size_t server, const State& state, Instant now) {
  const Record record = record_of(state);
  const auto beat_of = [&](FencingToken token) {
    const auto at = state.beats.find(token);
    return at == state.beats.end() ? 0U : at->second;
  };
  for (const Holder& holder : record.holders) {
    if (holder.client == setup_.claim.client) {
      continue;
    }
    if (observers_.size() >= kObserversMax) {
      observers_.clear();  // costs time, never safety
    }
    const GrantId grant{holder.token, holder.op};
    observers_.try_emplace(grant, grant, setup_.servers);
  }
  auto& known = states_[server];
  const auto precedes = [&](const State& seen, FencingToken token) {
    return seen.boot == state.boot && make_token(setup_.epoch, record_of(seen).count) < token;
  };
  for (auto at = observers_.begin(); at != observers_.end();) {
    const FencingToken token = at->first.token;
    const bool granted = !precedes(state, token);
    const bool moved_on = granted && record.find(at->first) == nullptr;
    if (moved_on && !may_be_overruled(server, state, at->first)) {
      at->second.forget(server);
    } else {
      const bool whole = !granted || (known && precedes(*known, token));
      at->second.saw(server, beat_of(token), state.boot, whole, now);
    }
    at = at->second.empty() ? observers_.erase(at) : std::next(at);
  }
  if (setup_.queues) {
    note_heirs(state);
    queue_.saw(server, state.tickets, now);
  }
  if (!known || !is_older(state, *known)) {
    known = state;
  }
}

// Of one server. Where it is the only one its record may be removed and made anew, with low
// ballots; but what it counts never falls, but while there is none.
bool Session::is_older(const State& state, const State& than) const {
  if (setup_.servers == 1 && !state.value) {
    return false;
  }
  const std::uint64_t count = record_of(state).count;
  const std::uint64_t known = record_of(than).count;
  return setup_.servers == 1 && count != known ? count < known : state.accepted < than.accepted;
}

// What this server holds lists the grant no longer, but a higher value does, so that the removal
// was never chosen, or one of the same fast ballot; or too few servers were seen to tell. The
// server is a witness all the same: it kept the heartbeats of a token that so few others followed.
bool Session::may_be_overruled(std::size_t server, const State& state, const GrantId& grant) const {
  const FencingToken newest = make_token(setup_.epoch, record_of(state).count);
  if (newest.value - grant.token.value >= kPastBeatsMax) {
    return false;
  }
  std::size_t seen = 1;
  for (std::size_t other = 0; other < states_.size(); ++other) {
    const auto& known = states_[other];
    if (known && known->accepted >= state.accepted && record_of(*known).find(grant) != nullptr) {
      return true;
    }
    seen += known && other != server ? 1U : 0U;
  }
  return seen < majority(setup_.servers);
}

void Session::send_all(SessionOutput& output, AttemptId attempt, const Request& request) const {
  for (std::size_t server = 0; server < setup_.servers; ++server) {
    output.sends.push_back(Send{server, attempt, request});
  }
}

OpId Session::draw_op() {
  constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuv";
  std::string text;
  for (std::uint64_t bits = random_.next(), i = 0; i < 12; ++i, bits >>= 5U) {
    text += kLetters[bits & 31U];
  }
  return OpId{text};
}

}  // namespace dexlock
