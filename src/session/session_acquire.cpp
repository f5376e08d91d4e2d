// How a session comes by its lock: propose, find it held, watch the holder, look again, evict the
// dead.
#include <algorithm>
#include <utility>

#include "lock/invariant.hpp"
#include "lock/quorum.hpp"
#include "register/choose.hpp"
#include "session/session.hpp"

namespace dexlock {
namespace {

constexpr Nanoseconds kShortestPoll = std::chrono::milliseconds(1);

// So often in a row a session tries to decide a fast ballot without a winner.
constexpr std::uint32_t kUndecidedMax = 6;

}  // namespace

SessionOutput Session::acquire(Patience patience, Instant now, bool all_up) {
  INVARIANT(goal_ == Goal::nothing);
  INVARIANT(proposer_.idle());
  belief_.reset();
  beats_.clear();
  plain_sticky_.reset();
  token_ = FencingToken{};
  goal_ = Goal::acquire;
  patience_ = patience;
  op_ = draw_op();
  op_sent_.reset();
  asked_ = now;
  conflicts_ = 0;
  // Servers refuse a request for the client that had the lock last if it cannot name that grant.
  try_fast_ = setup_.fast_ballots && all_up && !(had_it_before_ && last_grant_ == 0);
  insist_ = false;
  pause_from_.reset();
  free_since_.reset();
  SessionOutput output;
  take_place(output, now);
  start_acquire(output, now);
  return output;
}

AcquireSpec Session::spec() const {
  return AcquireSpec{.claim = setup_.claim,
                     .op = op_,
                     .epoch = setup_.epoch,
                     .terms = setup_.terms,
                     .who = setup_.who,
                     .holders_max = setup_.holders_max,
                     .keep_unfenced = setup_.fences};
}

// A grant counts from the first value of its operation that left. When much of the lease is over by
// then, a new operation asks for a new grant instead, which replaces the former if that was chosen.
void Session::refresh_op(Instant now) {
  if (op_sent_ && elapsed_for_holder(*op_sent_, now) > Nanoseconds(setup_.terms.lease) / 2) {
    op_ = draw_op();
    op_sent_.reset();
  }
}

void Session::start_acquire(SessionOutput& output, Instant now) {
  refresh_op(now);
  Operation operation{.intent = std::exchange(insist_, false) ? Intent::plain : Intent::acquire,
                      .claim = setup_.claim,
                      .change = acquire_change(now),
                      .want_sticky = setup_.sticky_promises,
                      .op = op_};
  std::optional<Sticky> sticky = std::exchange(sticky_, std::nullopt);
  if (in_line() && rank() > 0) {
    sticky.reset();  // who is next is for the servers to say
  }
  const State* newest = newest_state();
  if (std::exchange(try_fast_, false) && operation.intent == Intent::acquire &&
      (newest == nullptr || newest->open)) {
    operation.fast = Fast{.asker = asker(), .op = op_};
    operation.fast->asker.number = last_grant_;
  }
  start(output, Errand::acquire, std::move(operation), std::move(sticky), now);
}

// An eviction is never made on a sticky promise: only a fresh prepare proves that the victim is
// still silent.
void Session::start_evict(SessionOutput& output, const EvictionBasis& basis, Instant now) {
  sticky_.reset();
  refresh_op(now);
  if (!in_line()) {
    sweep_queue(output);  // nobody else may
  }
  Operation operation{.intent = Intent::evict,
                      .claim = setup_.claim,
                      .victim = basis.victim.token,
                      .beat = basis.beat,
                      .boots = basis.boots,
                      .change =
                          [spec = spec(), victim = basis.victim, queues = setup_.queues,
                           gone = gone(now)](const Record& base, const std::vector<Ticket>& queue) {
                            return evict(
                                base, victim, spec,
                                queues ? gone.waiting(base, queue) : std::vector<Ticket>{});
                          },
                      .want_sticky = setup_.sticky_promises,
                      .op = op_};
  start(output, Errand::evict, std::move(operation), std::nullopt, now);
}

void Session::on_grant(SessionOutput& output, const Chosen& chosen, Instant now) {
  const Holder* mine = chosen.value.find(setup_.claim.client);
  if (mine == nullptr || mine->op != op_) {
    on_busy(output, chosen.value, now);  // an eviction that left no room for this client yet
    return;
  }
  INVARIANT(op_sent_.has_value());
  goal_ = Goal::nothing;
  token_ = mine->token;
  last_grant_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(chosen.value.count, kRoundMax));
  granted_at_ = chosen.ballot;
  record_ = chosen.value;
  sticky_ = chosen.sticky;
  belief_.emplace(*op_sent_, mine->terms.lease);
  claimed_ = true;
  output.save = true;
  if (!place_) {  // else with the next call: this one's last words may not arrive
    drop_ticket(output);
  }
  if (!lapse(output, now)) {
    output.events.emplace_back(Granted{token_});
  }
}

void Session::on_acquire_failed(SessionOutput& output, Errand errand, const Outcome& outcome,
                                Instant now) {
  if (const auto* declined = std::get_if<DeclinedBy>(&outcome)) {
    on_declined(output, *declined, now);
    return;
  }
  const auto* refused = std::get_if<Refused>(&outcome);
  if (refused != nullptr && !refused->answered) {
    output.events.emplace_back(NoQuorum{});
    if (patience_ == Patience::once) {
      goal_ = Goal::nothing;
    } else {
      pause(AfterPause::look, setup_.poll_max, now);
    }
    return;
  }
  const State* newest = newest_state();
  if (refused != nullptr && newest != nullptr && !compatible(record_of(*newest), setup_.claim)) {
    if (errand == Errand::evict) {
      report_busy(output, record_of(*newest), now);  // it lives, or somebody else is evicting it
    } else {
      on_busy(output, record_of(*newest), now);
    }
    return;
  }
  if (patience_ == Patience::once && now.boot - asked_.boot >= setup_.attempt_limit) {
    output.events.emplace_back(NoQuorum{.answered = true});
    goal_ = Goal::nothing;
    return;
  }
  // Servers refuse for the sake of a holder that a newer value, known here, does not list: a
  // release or eviction stopped half way. The change function decides on what a majority knows.
  insist_ = refused != nullptr && refused->held;
  back_off(now);
}

void Session::on_declined(SessionOutput& output, const DeclinedBy& declined, Instant now) {
  if (declined.declined == Declined::held) {
    on_busy(output, declined.base, now);
    return;
  }
  if (declined.declined == Declined::no_room) {
    // Those who are in nobody's way while they live must go as well once they are dead.
    if (const auto basis = dead_holder(declined.base, now)) {
      start_evict(output, *basis, now);
      return;
    }
  }
  const bool may_open =
      declined.declined == Declined::no_room || declined.base.gate.state == GateState::hold;
  const bool waits = may_open && patience_ == Patience::wait;
  output.events.emplace_back(Closed{declined.declined, declined.base, waits});
  if (!waits) {
    goal_ = Goal::nothing;
    if (may_open) {
      keep_place(output, now);
    }
  } else {
    pause(AfterPause::look, setup_.poll_max, now);
  }
}

void Session::on_busy(SessionOutput& output, const Record& record, Instant now) {
  if (const auto basis = evictable(record, now)) {
    start_evict(output, *basis, now);
    return;
  }
  // Of rivals on a fast ballot nobody may have been chosen.
  if (is_undecided() && conflicts_ < kUndecidedMax) {
    insist_ = true;
    back_off(now);
    return;
  }
  report_busy(output, record, now);
}

// The newest value was voted for on a fast ballot, and cannot be chosen there.
bool Session::is_undecided() const {
  const State* newest = newest_state();
  if (newest == nullptr || newest->accepted.fast == 0) {
    return false;
  }
  std::vector<State> known;
  for (const auto& state : states_) {
    if (state) {
      known.push_back(*state);
    }
  }
  return !may_be_chosen(known, *newest, setup_.servers);
}

void Session::report_busy(SessionOutput& output, const Record& record, Instant now) {
  conflicts_ = 1;
  const auto takeover = takeover_wait(record, now);
  output.events.emplace_back(Busy{record, takeover});
  if (patience_ == Patience::once) {
    goal_ = Goal::nothing;
    sweep_queue(output);
    keep_place(output, now);
    return;
  }
  free_since_.reset();
  keep_ticket(output, now);
  Nanoseconds wait = longest_pause();
  for (const Holder& holder : record.holders) {
    wait = std::min(wait, poll_period(holder.terms));
  }
  if (takeover) {
    wait = std::min(wait, *takeover);
  }
  wait = std::max(wait, kShortestPoll);
  const auto jitter = random_.below(static_cast<std::uint64_t>(wait.count()) / 4 + 1);
  pause(AfterPause::look, wait + Nanoseconds(jitter), now);
}

void Session::look(SessionOutput& output, Instant now) {
  INVARIANT(!look_);
  look_ = Look{.attempt = side_attempt_++,
               .answered = std::vector<bool>(setup_.servers),
               .failed = std::vector<bool>(setup_.servers)};
  attempt_started_ = now;
  send_all(output, look_->attempt, Read{});
}

// Nobody is in the way any more: looks as soon as it is this one's turn, not when it next would
// have.
void Session::hasten(Instant now) {
  const State* newest = newest_state();
  if (goal_ != Goal::acquire || !pause_from_ || after_pause_ != AfterPause::look ||
      newest == nullptr || !compatible(record_of(*newest), setup_.claim)) {
    return;
  }
  const Nanoseconds left = std::max(turn(now), Nanoseconds(0));
  if (left < pause_length_ - (now.boot - pause_from_->boot)) {
    pause(AfterPause::look, left, now);
  }
}

void Session::on_look_reply(SessionOutput& output, std::size_t server, bool answered, Instant now) {
  (answered ? look_->answered : look_->failed)[server] = true;
  const auto count = [](const std::vector<bool>& flags) {
    return static_cast<std::size_t>(std::ranges::count(flags, true));
  };
  const std::size_t quorum = majority(setup_.servers);
  if (count(look_->answered) < quorum && setup_.servers - count(look_->failed) >= quorum) {
    return;
  }
  const bool enough = count(look_->answered) >= quorum;
  look_.reset();
  attempt_started_.reset();
  if (!enough) {
    output.events.emplace_back(NoQuorum{});
    pause(AfterPause::look, setup_.poll_max, now);
    return;
  }
  if (goal_ == Goal::view) {
    goal_ = Goal::nothing;
    output.events.emplace_back(Viewed{});
    return;
  }
  const State* newest = newest_state();
  INVARIANT(newest != nullptr);
  sweep_queue(output);
  const Record record = record_of(*newest);
  if (!compatible(record, setup_.claim) || record.gate.state == GateState::hold) {
    on_busy(output, record, now);
    return;
  }
  if (const Nanoseconds left = turn(now); left.count() > 0) {
    keep_ticket(output, now);
    pause(AfterPause::look, std::min(left, longest_pause()), now);
    return;
  }
  start_acquire(output, now);
}

Ticket Session::asker() const {
  return Ticket{
      .claim = setup_.claim, .terms = setup_.terms, .proposer = setup_.proposer, .who = setup_.who};
}

const State* Session::newest_state() const {
  const State* newest = nullptr;
  for (const auto& state : states_) {
    if (state && (newest == nullptr || state->accepted > newest->accepted ||
                  (state->accepted == newest->accepted && state->accepted.fast != 0 &&
                   is_likelier(*state, *newest)))) {
      newest = &*state;
    }
  }
  return newest;
}

// Of two values of one fast ballot, the one that choose() would rather build on.
bool Session::is_likelier(const State& a, const State& b) const {
  const auto votes_for = [&](const State& one) {
    return std::ranges::count_if(states_, [&](const auto& state) {
      return state && state->accepted == one.accepted && state->value == one.value;
    });
  };
  const auto for_a = votes_for(a);
  const auto for_b = votes_for(b);
  return for_a > for_b || (for_a == for_b && record_of(a).op < record_of(b).op);
}

// How long `holder` must have been seen unchanged before this client may evict it, `later`
// included.
ObservationTimes Session::needed_for(const Holder& holder, Nanoseconds later) const {
  const auto needed = [&](bool claimed) {
    return observation_time(holder.terms, claimed, setup_.drift_ppm) + later;
  };
  return ObservationTimes{needed(true), needed(!holder.ticket)};
}

std::optional<EvictionBasis> Session::evictable(const Record& record, Instant now) const {
  return compatible(record, setup_.claim) ? std::nullopt : dead_holder(record, now);
}

bool Session::may_be_had(Instant now) const {
  const State* newest = newest_state();
  if (newest == nullptr) {
    return false;
  }
  const Record record = record_of(*newest);
  return compatible(record, setup_.claim) || dead_holder(record, now).has_value();
}

std::optional<EvictionBasis> Session::dead_holder(const Record& record, Instant now) const {
  for (const Holder& holder : record.holders) {
    const auto at = observers_.find(GrantId{holder.token, holder.op});
    if (holder.client == setup_.claim.client || at == observers_.end()) {
      continue;
    }
    if (auto basis = at->second.ready(needed_for(holder, delay_of_rank()), now)) {
      return basis;
    }
  }
  return std::nullopt;
}

std::optional<Nanoseconds> Session::takeover_wait(const Record& record, Instant now) const {
  std::optional<Nanoseconds> shortest;
  for (const Holder& holder : record.holders) {
    const auto at = observers_.find(GrantId{holder.token, holder.op});
    if (holder.client == setup_.claim.client || at == observers_.end()) {
      continue;
    }
    const auto left = at->second.wait_left(needed_for(holder, delay_of_rank()), now);
    if (left && (!shortest || *left < *shortest)) {
      shortest = left;
    }
  }
  return shortest;
}

}  // namespace dexlock
