// How a session keeps its lock, loses it, and gives it up.
#include <algorithm>
#include <iterator>
#include <utility>

#include "lock/fields.hpp"
#include "lock/invariant.hpp"
#include "lock/quorum.hpp"
#include "session/session.hpp"

namespace dexlock {
namespace {

// Heartbeat numbers follow the clock, so that a restored or copied state file repeats none of them.
constexpr Nanoseconds kBeatUnit = std::chrono::milliseconds(100);

// Heartbeats that may be under way at once, for links slower than the renewal period.
constexpr std::size_t kBeatsMax = 8;

std::size_t count(const std::vector<bool>& flags) {
  return static_cast<std::size_t>(std::ranges::count(flags, true));
}

}  // namespace

SessionOutput Session::renew(Instant now) {
  SessionOutput output;
  if (lapse(output, now) || !belief_) {
    return output;
  }
  const std::int64_t by_clock = now.boot / kBeatUnit;
  const std::int64_t number = std::max(std::int64_t{beat_number_} + 1, by_clock);
  if (number > static_cast<std::int64_t>(kSmallNumberMax)) {
    lose(output, "the heartbeat numbers of this boot are used up; restart this machine");
    return output;
  }
  leave_place(output);
  beat_number_ = static_cast<std::uint32_t>(number);
  if (beats_.size() == kBeatsMax) {
    beats_.erase(beats_.begin());
  }
  beats_.push_back(Beat{.number = beat_number_,
                        .start = now,
                        .attempt = side_attempt_++,
                        .acked = std::vector<bool>(setup_.servers),
                        .blocked = std::vector<bool>(setup_.servers),
                        .failed = std::vector<bool>(setup_.servers)});
  output.save = true;
  send_all(output, beats_.back().attempt, Heartbeat{token_, beat_number_, granted_at_});
  return output;
}

Session::Beat* Session::find_beat(AttemptId attempt) {
  const auto at = std::ranges::find(beats_, attempt, &Beat::attempt);
  return at == beats_.end() ? nullptr : &*at;
}

void Session::on_beat_reply(SessionOutput& output, Beat& beat, std::size_t server,
                            const Reply& reply, Instant now) {
  const auto* answer = std::get_if<Answer>(&reply);
  if (answer == nullptr) {
    beat.failed[server] = !beat.acked[server];
    settle_beat(output, beat, now);
    return;
  }
  const State& state = answer->state;
  switch (answer->verdict) {
    case Verdict::gone:
      lose(output, "the lock was taken away");
      return;
    case Verdict::beating:
      if (is_of_another(state)) {
        lose(output, "the lock servers have forgotten it, and granted it to another");
        return;
      }
      beat.acked[server] = true;
      break;
    case Verdict::fenced:
      beat.blocked[server] = true;
      break;
    case Verdict::behind:
      beat.blocked[server] = state.promised > granted_at_ || granted_at_.fast != 0;
      break;
    default:
      beat.failed[server] = true;
      break;
  }
  if (state.accepted < granted_at_ && state.promised <= granted_at_ && granted_at_.fast == 0) {
    // The same value under the same ballot once more: for a server that missed it. A fast ballot
    // may carry another one there.
    output.sends.push_back(
        Send{server, side_attempt_++, Accept{granted_at_, *record_, std::nullopt, false}});
  }
  settle_beat(output, beat, now);
}

// A value above this one's grant, or on the only server, descends from it or shows that it is lost:
// a server was set back to an earlier state, and granted the same token once more.
bool Session::is_of_another(const State& state) const {
  const Holder* holder = state.value ? state.value->find(token_) : nullptr;
  return holder != nullptr && holder->client != setup_.claim.client &&
         (state.accepted > granted_at_ || setup_.servers == 1);
}

// A server has caught up: it can take the heartbeat now. Same number, same start.
void Session::on_repaired(SessionOutput& output, std::size_t server, const Answer& answer) {
  if (beats_.empty() || beats_.back().acked[server] || answer.verdict != Verdict::accepted ||
      answer.state.accepted != granted_at_) {
    return;
  }
  const Beat& beat = beats_.back();
  output.sends.push_back(Send{server, beat.attempt, Heartbeat{token_, beat.number, granted_at_}});
}

void Session::settle_beat(SessionOutput& output, Beat& beat, Instant now) {
  if (beat.settled) {
    return;
  }
  const std::size_t quorum = majority(setup_.servers);
  if (count(beat.acked) >= quorum) {
    beat.settled = true;
    if (std::exchange(claimed_, true)) {
      belief_->confirmed(beat.start);
    } else {
      belief_.emplace(beat.start, record_->find(token_)->terms.lease);
    }
    output.save = true;
    output.events.emplace_back(Renewed{beat.start});
    return;
  }
  if (setup_.servers - count(beat.failed) < quorum) {
    beat.settled = true;
    output.events.emplace_back(NoQuorum{});
    return;
  }
  const bool would_do = count(beat.acked) + count(beat.blocked) >= quorum;
  if (would_do && proposer_.idle() && !pause_from_) {
    start_confirm(output, now);
  }
}

// Writes the record once more at a new ballot, which lifts a fence and brings servers that are
// behind up to date. It is no renewal: observers look at heartbeats only.
void Session::start_confirm(SessionOutput& output, Instant now) {
  INVARIANT(belief_.has_value());
  sticky_.reset();
  plain_sticky_.reset();
  output.save = true;
  Operation operation{
      .intent = Intent::plain, .change = confirm_change(), .want_sticky = setup_.sticky_promises};
  start(output, Errand::confirm, std::move(operation), std::nullopt, now);
}

ChangeFunction Session::confirm_change() const {
  return [client = setup_.claim.client, token = token_, storing = storing_](const Record& base,
                                                                            const auto&) {
    if (!storing) {
      return confirm(base, client, token);
    }
    return storing->text ? store_value(base, client, token, *storing->text, storing->op)
                         : dexlock::mark_fenced(base, client, token, storing->fenced, storing->op);
  };
}

SessionOutput Session::store(std::string text, Instant now) {
  return start_storing({.text = std::move(text), .fenced = {}, .op = draw_op()}, now);
}

SessionOutput Session::mark_fenced(FencingToken departed, Instant now) {
  return start_storing({.text = std::nullopt, .fenced = departed, .op = draw_op()}, now);
}

SessionOutput Session::start_storing(Storing storing, Instant now) {
  INVARIANT(setup_.claim.mode == Mode::exclusive);
  SessionOutput output;
  if (lapse(output, now) || !belief_) {
    return output;
  }
  storing_ = std::move(storing);
  if (proposer_.idle() && !pause_from_) {
    start_confirm(output, now);
  }
  return output;
}

void Session::on_confirm_declined(SessionOutput& output, Declined why, Instant now) {
  if (why == Declined::not_held) {
    lose(output, "the lock was taken away");
    return;
  }
  storing_.reset();
  output.events.emplace_back(NotStored{});
  start_confirm(output, now);
}

void Session::on_confirmed(SessionOutput& output, const Chosen& chosen, Instant now) {
  if (!belief_) {
    return;
  }
  conflicts_ = 0;
  granted_at_ = chosen.ballot;
  record_ = chosen.value;
  sticky_ = chosen.sticky;
  if (storing_ && storing_->op == chosen.value.op) {
    storing_.reset();
    output.events.emplace_back(Stored{});
  }
  SessionOutput beat = renew(now);
  output.save = true;
  std::ranges::move(beat.sends, std::back_inserter(output.sends));
  std::ranges::move(beat.events, std::back_inserter(output.events));
  start_stored_meanwhile(output, now);
}

// What was asked for while the proposer was at something else.
void Session::start_stored_meanwhile(SessionOutput& output, Instant now) {
  if (storing_ && belief_ && proposer_.idle()) {
    start_confirm(output, now);
  }
}

SessionOutput Session::release(Instant now) {
  SessionOutput output;
  const bool was_listed = maybe_listed_;
  belief_.reset();  // first of all: from here on nobody may act under the lock
  beats_.clear();
  storing_.reset();
  look_.reset();
  pause_from_.reset();
  goal_ = Goal::release;
  output.save = true;
  attempt_started_.reset();
  if (!proposer_.idle()) {
    errand_ = Errand::none;
    static_cast<void>(proposer_.abandon());
    sticky_.reset();
  }
  conflicts_ = 0;
  drop_ticket(output);
  leave_place(output);
  if (!was_listed) {
    goal_ = Goal::nothing;
    output.events.emplace_back(Released{});
    return output;
  }
  start_release(output, now);
  return output;
}

void Session::start_release(SessionOutput& output, Instant now) {
  const bool again = record_ && record_->last && record_->last->client == setup_.claim.client;
  Operation operation{
      .intent = Intent::plain, .want_sticky = setup_.sticky_promises && again, .open = true};
  std::optional<Sticky> sticky = std::exchange(sticky_, std::nullopt);
  const bool plain = !setup_.fences;
  if (plain && !sticky && plain_sticky_ && plain_release(plain_sticky_->base, token_).next) {
    sticky = plain_sticky_;
    operation.want_sticky = false;
  }
  plain_sticky_.reset();
  std::vector<Ticket> waiting = others_waiting();
  // Copies of what was saved may use the same promise: whoever does proposes the plain release
  // where that is possible, and they propose nothing where it is not.
  if (plain && sticky && waiting.empty() && plain_release(sticky->base, token_).next) {
    operation.change = [token = token_](const Record& base, const auto&) {
      return plain_release(base, token);
    };
  } else {
    operation.change = release_change(std::move(waiting), sticky.has_value(), now);
  }
  start(output, Errand::release, std::move(operation), std::move(sticky), now);
}

void Session::on_released(SessionOutput& output, const Chosen& chosen) {
  goal_ = Goal::nothing;
  if (!purpose_op_.text.empty() && chosen.value.op == purpose_op_) {
    output.events.emplace_back(HandedOver{chosen.value});
  }
  purpose_op_ = OpId{};
  storing_.reset();
  // A ticket that its removal did not reach may still inherit the lock, and a request for a vote
  // may come late, or once more.
  maybe_listed_ = listed_late_;
  token_ = FencingToken{};
  granted_at_ = chosen.ballot;
  record_.reset();
  sticky_ = chosen.value.is_free() ? chosen.sticky : std::nullopt;
  output.save = true;
  output.events.emplace_back(Released{});
}

void Session::lose(SessionOutput& output, std::string why) {
  belief_.reset();
  beats_.clear();
  storing_.reset();
  sticky_.reset();
  plain_sticky_.reset();
  if (goal_ == Goal::hand_over) {
    goal_ = Goal::nothing;
  }
  if (errand_ == Errand::confirm || errand_ == Errand::hand_over) {
    errand_ = Errand::none;
    attempt_started_.reset();
    static_cast<void>(proposer_.abandon());
  }
  pause_from_.reset();
  output.save = true;
  output.events.emplace_back(Lost{std::move(why)});
}

bool Session::lapse(SessionOutput& output, Instant now) {
  if (!belief_ || belief_->holds(now)) {
    return false;
  }
  lose(output, "no majority of the lock servers confirmed it in time");
  return true;
}

}  // namespace dexlock
