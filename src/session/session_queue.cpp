// How sessions wait in line: a ticket on every server, renewed while it waits; whoever gives the
// lock up, or finds it free or its holder dead, grants it to who is next [Lamport 1974].
#include <algorithm>
#include <iterator>
#include <utility>

#include "lock/invariant.hpp"
#include "lock/quorum.hpp"
#include "session/session.hpp"

namespace dexlock {
namespace {

// Refresh numbers follow the clock like heartbeat numbers.
constexpr Nanoseconds kRefreshUnit = std::chrono::milliseconds(100);

// Who is not next acts only when all before it should have acted: so long for each.
constexpr Nanoseconds kShortestTurn = std::chrono::milliseconds(100);
constexpr std::size_t kRanksMax = 8;

// Tickets are renewed four times in the lease that an inherited lock has at first, and given up
// when that has been missed for twice its length.
Nanoseconds refresh_period(const Terms& terms) { return Nanoseconds(terms.claim) / 4; }
std::chrono::milliseconds ticket_life(const Terms& terms) { return 2 * terms.claim; }

// One that tries once renews its ticket with each try, and is given up when it has missed two.
constexpr std::int64_t kTriesMissed = 3;

std::chrono::milliseconds life_between_calls(Nanoseconds step) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(kTriesMissed * step);
}

bool is_renewable(const Terms& terms) { return refresh_period(terms) > Nanoseconds(0); }

// A later value shows that `token` was never granted to `client`: it does not know of the token, or
// knows it as that of another.
bool denies(const Record& later, Epoch epoch, FencingToken token, const ClientId& client) {
  const Holder* holder = later.find(token);
  return make_token(epoch, later.count) < token ||
         (holder != nullptr && holder->client != client) ||
         (later.last && later.last->token == token && later.last->client != client);
}

}  // namespace

Ticket Session::ticket() const {
  INVARIANT(ticket_.has_value());
  Ticket ticket = asker();
  ticket.number = ticket_->number;
  ticket.refresh = ticket_->refresh;
  ticket.ttl = place_ ? life_between_calls(setup_.step) : ticket_life(setup_.terms);
  return ticket;
}

// Draws a number, or renews the ticket when that is due.
void Session::keep_ticket(SessionOutput& output, Instant now) {
  if (!in_line() || goal_ != Goal::acquire || !is_renewable(setup_.terms)) {
    return;
  }
  if (!ticket_) {
    if (queue_.highest_number() >= kRoundMax) {
      return;  // without a ticket it waits all the same, after all others
    }
    ticket_ = MyTicket{.number = queue_.highest_number() + 1, .refresh = 0, .sent = {}};
    post_ticket(output, now);
  } else if (elapsed_for_holder(ticket_->sent.back().second, now) >= refresh_period(setup_.terms)) {
    post_ticket(output, now);
  }
}

// One that tries once and found the lock held the last time, not long ago, stands in line with the
// ticket whose number it drew then; what it asks next comes behind that on every server. It never
// believes that it has inherited the lock, but asks for a grant of its own.
void Session::take_place(SessionOutput& output, Instant now) {
  ticket_.reset();
  if (!place_ || patience_ != Patience::once) {
    return;
  }
  if (elapsed_for_holder(place_->refused, now) > kTriesMissed * setup_.step) {
    leave_place(output);
    return;
  }
  ticket_ = MyTicket{.number = place_->number, .refresh = place_->refresh, .sent = {}};
  post_ticket(output, now);
  place_->refresh = refresh_number_;
}

// Found the lock held: if it is back soon enough, it has a place from then on.
void Session::keep_place(SessionOutput& output, Instant now) {
  const bool soon = setup_.queues && setup_.step > Nanoseconds(0) &&
                    kTriesMissed * setup_.step <= Nanoseconds(setup_.terms.lease);
  if (!soon || (!place_ && queue_.highest_number() >= kRoundMax)) {
    return;
  }
  if (!place_) {
    place_ = PlaceInLine{.number = queue_.highest_number() + 1, .refresh = 0, .refused = {}};
  }
  place_->refused = now;
  output.save = true;
}

void Session::leave_place(SessionOutput& output) {
  if (place_ && place_->refresh != 0) {
    ticket_ = MyTicket{.number = place_->number, .refresh = place_->refresh, .sent = {}};
    drop_ticket(output);
  }
  if (std::exchange(place_, std::nullopt)) {
    output.save = true;
  }
}

// A waiter looks at least as often as its ticket has to be renewed.
Nanoseconds Session::longest_pause() const {
  return ticket_ ? std::min(setup_.poll_max, refresh_period(setup_.terms)) : setup_.poll_max;
}

// From here on the record may list this client, and its lease counts from now.
void Session::post_ticket(SessionOutput& output, Instant now) {
  const std::int64_t by_clock = now.boot / kRefreshUnit;
  const std::int64_t number = std::max(std::int64_t{refresh_number_} + 1, by_clock);
  if (number > std::int64_t{kRoundMax}) {
    return;
  }
  refresh_number_ = static_cast<std::uint32_t>(number);
  ticket_->refresh = refresh_number_;
  std::erase_if(ticket_->sent, [&](const auto& sent) {
    return elapsed_for_holder(sent.second, now) >= Nanoseconds(setup_.terms.claim);
  });
  ticket_->sent.emplace_back(refresh_number_, now);
  maybe_listed_ = listed_late_ = true;
  output.save = true;
  send_all(output, side_attempt_++, Post{.ticket = ticket(), .remove = false});
}

void Session::drop_ticket(SessionOutput& output) {
  if (ticket_) {
    send_all(output, side_attempt_++, Post{.ticket = ticket(), .remove = true});
    ticket_.reset();
  }
}

// Removes what others left behind. A server keeps a ticket that was renewed meanwhile.
void Session::sweep_queue(SessionOutput& output) {
  constexpr std::size_t kSweepers = 3;  // those next in line, so that not all do the same
  if (!setup_.queues || (in_line() && rank() >= kSweepers)) {
    return;
  }
  for (const Ticket& left : queue_.left_behind()) {
    if (left.claim.client != setup_.claim.client) {
      send_all(output, side_attempt_++, Post{.ticket = left, .remove = true});
    }
  }
}

// Who inherited has used its ticket up; unless a newer value, which does not know of the grant,
// shows that it was never chosen.
void Session::note_heirs(const State& state) {
  constexpr std::size_t kHeirsMax = 256;  // forgetting them costs a turn, never safety
  const auto outvotes = [&](const State& newer, const Ballot& at, FencingToken token,
                            const ClientId& client) {
    return newer.accepted > at && denies(record_of(newer), setup_.epoch, token, client);
  };
  if (heirs_.size() >= kHeirsMax) {
    heirs_.clear();
  }
  for (const Holder& holder : record_of(state).holders) {
    const bool outvoted = std::ranges::any_of(states_, [&](const auto& known) {
      return known && outvotes(*known, state.accepted, holder.token, holder.client);
    });
    if (holder.ticket && !outvoted) {
      queue_.granted(holder.client, *holder.ticket);
      heirs_[holder.client] = Heir{*holder.ticket, holder.token, state.accepted};
    }
  }
  std::erase_if(heirs_, [&](const auto& one) {
    const auto& [client, heir] = one;
    const bool outvoted = outvotes(state, heir.at, heir.token, client);
    if (outvoted) {
      queue_.not_granted(client, heir.refresh);
    }
    return outvoted;
  });
}

Session::Gone Session::gone(Instant now) const {
  return Gone{.seen = queue_.sightings(),
              .asked = now,
              .heirs = heirs_,
              .epoch = setup_.epoch,
              .client = setup_.claim.client};
}

// Whoever asks looks at a majority with that very question: a ticket that it shows as it was seen
// too long ago is silent, also if an earlier process saw it. A grant that what has been chosen does
// not know of used nothing up.
bool Session::Gone::includes(const Ticket& ticket, const Record& base) const {
  const auto sighting = std::ranges::find(seen, ticket.claim.client, &TicketSighting::client);
  if (sighting != seen.end() && sighting->refresh >= ticket.refresh &&
      elapsed_for_observer(sighting->since, asked) >= ticket.ttl) {
    return true;
  }
  const auto heir = heirs.find(ticket.claim.client);
  return heir != heirs.end() && heir->second.refresh >= ticket.refresh &&
         !denies(base, epoch, heir->second.token, ticket.claim.client);
}

// Who has the lock may not have taken its ticket back yet.
std::vector<Ticket> Session::Gone::waiting(const Record& base, std::vector<Ticket> queue) const {
  std::erase_if(queue, [&](const Ticket& ticket) {
    return includes(ticket, base) ||
           (ticket.claim.client != client && base.find(ticket.claim.client) != nullptr);
  });
  return queue;
}

// How many are before this one.
std::size_t Session::rank() const {
  const std::vector<Ticket> waiting = queue_.waiting();
  const State* newest = newest_state();
  const auto holds = [&](const ClientId& client) {
    return newest != nullptr && newest->value && newest->value->find(client) != nullptr;
  };
  return static_cast<std::size_t>(std::ranges::count_if(waiting, [&](const Ticket& other) {
    return other.claim.client != setup_.claim.client && !holds(other.claim.client) &&
           (!ticket_ || senior(other, ticket()));
  }));
}

Nanoseconds Session::delay_of_rank() const {
  if (!in_line()) {
    return Nanoseconds(0);
  }
  const Nanoseconds each = std::max(4 * round_trip_, kShortestTurn);
  return each * static_cast<std::int64_t>(std::min(rank(), kRanksMax));
}

// How much longer a free lock is left to those before this one. One that has been handed the lock
// by a ticket that it cannot rely on keeps nobody waiting for it.
Nanoseconds Session::turn(Instant now) {
  const State* newest = newest_state();
  const bool listed =
      newest != nullptr && newest->value && newest->value->find(setup_.claim.client) != nullptr;
  if (!in_line() || listed) {
    return Nanoseconds(0);
  }
  if (!free_since_) {
    free_since_ = now;
  }
  return delay_of_rank() - elapsed_for_observer(*free_since_, now);
}

std::vector<Ticket> Session::others_waiting() const {
  std::vector<Ticket> others = queue_.waiting();
  std::erase_if(others,
                [&](const Ticket& ticket) { return ticket.claim.client == setup_.claim.client; });
  return others;
}

// One that neither waits nor has come back takes a free lock at once, whoever waits: it has no time
// for a place in line. But it joins no holders while somebody waits for them to leave.
ChangeFunction Session::acquire_change(Instant now) const {
  return [spec = spec(), in_line = in_line() || ticket_, queues = setup_.queues, gone = gone(now)](
             const Record& base, const std::vector<Ticket>& queue) {
    if (in_line) {
      return acquire_in_turn(base, spec, gone.waiting(base, queue));
    }
    return queues ? acquire_unless_waited_for(base, spec, gone.waiting(base, queue))
                  : dexlock::acquire(base, spec);
  };
}

// `sticky`: nobody is asked who waits, so what is known has to do.
ChangeFunction Session::release_change(std::vector<Ticket> waiting, bool sticky, Instant now) {
  const ReleaseSpec spec{.client = setup_.claim.client,
                         .token = std::nullopt,
                         .epoch = setup_.epoch,
                         .op = draw_op(),
                         .waiting = std::move(waiting),
                         .holders_max = setup_.holders_max,
                         .keep_unfenced = setup_.fences};
  return [spec, sticky, queues = setup_.queues, gone = gone(now)](
             const Record& base, const std::vector<Ticket>& queue) {
    ReleaseSpec now_known = spec;
    if (!sticky) {
      now_known.waiting = queues ? gone.waiting(base, queue) : std::vector<Ticket>{};
      std::erase_if(now_known.waiting,
                    [&](const Ticket& ticket) { return ticket.claim.client == spec.client; });
    }
    return dexlock::release(base, now_known);
  };
}

// The lock was handed over to this client, and a majority shows it: that is chosen. The lease
// counts from before the sending of the very refresh that the record names, for whoever watches has
// seen the record later than that. If it names one too old, or if only few show it, the next look
// asks for a grant of its own.
bool Session::inherit(SessionOutput& output, Instant now) {
  const State* newest = newest_state();
  if (goal_ != Goal::acquire || !ticket_ || !proposer_.idle() || newest == nullptr ||
      newest->copied || newest->accepted.fast != 0) {
    return false;
  }
  const Record record = record_of(*newest);
  const Holder* mine = record.find(setup_.claim.client);
  if (mine == nullptr || !mine->ticket) {
    return false;
  }
  const auto sent =
      std::ranges::find(ticket_->sent, *mine->ticket, &std::pair<std::uint32_t, Instant>::first);
  const auto shows = [&](const std::optional<State>& state) {
    return state && state->accepted == newest->accepted && !state->copied;
  };
  const std::size_t quorum = majority(setup_.servers);
  const Nanoseconds spare = Nanoseconds(mine->terms.claim) / 10;
  if (sent == ticket_->sent.end() ||
      Belief(sent->second, mine->terms.claim).remaining(now) <= spare ||
      static_cast<std::size_t>(std::ranges::count_if(states_, shows)) < quorum) {
    return false;
  }
  const Ballot next{newest->accepted.epoch, newest->accepted.round + 1, setup_.proposer, 0};
  const auto promises = std::ranges::count_if(states_, [&](const std::optional<State>& state) {
    return shows(state) && state->promised == next;
  });
  goal_ = Goal::nothing;
  look_.reset();
  attempt_started_.reset();
  pause_from_.reset();
  token_ = mine->token;
  granted_at_ = newest->accepted;
  record_ = record;
  const bool promised = static_cast<std::size_t>(promises) >= quorum;
  sticky_ = promised && setup_.sticky_promises ? std::optional(Sticky{next, record}) : std::nullopt;
  belief_.emplace(sent->second, mine->terms.claim);
  claimed_ = false;
  output.save = true;
  drop_ticket(output);
  output.events.emplace_back(Granted{.token = token_, .inherited = true});
  SessionOutput beat = renew(now);
  std::ranges::move(beat.sends, std::back_inserter(output.sends));
  std::ranges::move(beat.events, std::back_inserter(output.events));
  return true;
}

}  // namespace dexlock
