// How a lock changes on purpose: its holder hands it over to a waiter, or somebody who has no part
// in it breaks a holder, holds it for maintenance, or sends what a dead client can send no more.
#include <algorithm>
#include <utility>

#include "lock/invariant.hpp"
#include "session/session.hpp"

namespace dexlock {

SessionOutput Session::hand_over(std::optional<ClientId> heir, Instant now) {
  INVARIANT(goal_ == Goal::nothing);
  INVARIANT(proposer_.idle());
  SessionOutput output;
  if (lapse(output, now)) {
    return output;
  }
  INVARIANT(belief_.has_value());
  goal_ = Goal::hand_over;
  heir_ = std::move(heir);
  purpose_op_ = draw_op();
  conflicts_ = 0;
  start_hand_over(output, now);
  return output;
}

// Never on a sticky promise: only servers that are asked tell who waits.
void Session::start_hand_over(SessionOutput& output, Instant now) {
  sticky_.reset();
  plain_sticky_.reset();
  output.save = true;
  const ReleaseSpec spec{.client = setup_.claim.client,
                         .token = token_,
                         .epoch = setup_.epoch,
                         .op = purpose_op_,
                         .waiting = {},
                         .holders_max = setup_.holders_max,
                         .keep_unfenced = setup_.fences};
  Operation operation{
      .change =
          [spec, heir = heir_, queues = setup_.queues, gone = gone(now)](
              const Record& base, const std::vector<Ticket>& queue) {
            ReleaseSpec now_known = spec;
            now_known.waiting = queues ? gone.waiting(base, queue) : std::vector<Ticket>{};
            std::erase_if(now_known.waiting,
                          [&](const Ticket& ticket) { return ticket.claim.client == spec.client; });
            return dexlock::hand_over(base, heir, std::move(now_known));
          },
      .want_sticky = false,
      .open = true};
  start(output, Errand::hand_over, std::move(operation), std::nullopt, now);
}

void Session::on_hand_over_done(SessionOutput& output, const Outcome& outcome, Instant now) {
  if (const auto* chosen = std::get_if<Chosen>(&outcome)) {
    on_released(output, *chosen);
  } else if (const auto* declined = std::get_if<DeclinedBy>(&outcome)) {
    goal_ = Goal::nothing;
    purpose_op_ = OpId{};
    if (declined->declined == Declined::not_held) {
      lose(output, "the lock was taken away");
    } else {
      output.events.emplace_back(NotHandedOver{declined->declined, declined->base});
      start_stored_meanwhile(output, now);
    }
  } else {
    try_again(output, outcome, now);
  }
}

SessionOutput Session::view(Instant now) {
  INVARIANT(goal_ == Goal::nothing);
  INVARIANT(proposer_.idle());
  goal_ = Goal::view;
  SessionOutput output;
  look(output, now);
  return output;
}

SessionOutput Session::amend(Amendment amendment, Instant now) {
  INVARIANT(goal_ == Goal::nothing);
  INVARIANT(proposer_.idle());
  INVARIANT(!belief_);
  goal_ = Goal::amend;
  amendment_ = std::move(amendment);
  amendment_sent_ = false;
  purpose_op_ = draw_op();
  conflicts_ = 0;
  SessionOutput output;
  start_amend(output, now);
  return output;
}

// Whom nothing listed shows is not fenced. The change function decides on what a majority knows.
void Session::start_amend(SessionOutput& output, Instant now) {
  Operation operation{.change = amend_change(now), .want_sticky = false};
  if (const auto* broken = std::get_if<BreakHolder>(&*amendment_)) {
    const bool listed = std::ranges::any_of(states_, [&](const std::optional<State>& state) {
      return state && record_of(*state).find(broken->token) != nullptr;
    });
    operation.intent = listed ? Intent::force : Intent::plain;
    operation.victim = broken->token;
  }
  const auto* altered = std::get_if<Alter>(&*amendment_);
  operation.open =
      altered != nullptr ? altered->opens : !std::holds_alternative<PutOnHold>(*amendment_);
  start(output, Errand::amend, std::move(operation), std::nullopt, now);
}

ChangeFunction Session::amend_change(Instant now) const {
  const ReleaseSpec spec{.client = setup_.claim.client,
                         .token = std::nullopt,
                         .epoch = setup_.epoch,
                         .op = purpose_op_,
                         .waiting = {},
                         .holders_max = setup_.holders_max,
                         .keep_unfenced = setup_.fences};
  return [spec, amendment = *amendment_, queues = setup_.queues, gone = gone(now)](
             const Record& base, const std::vector<Ticket>& queue) {
    ReleaseSpec as = spec;
    as.waiting = queues ? gone.waiting(base, queue) : std::vector<Ticket>{};
    if (const auto* broken = std::get_if<BreakHolder>(&amendment)) {
      return break_holder(base, broken->token, as);
    }
    if (const auto* held = std::get_if<PutOnHold>(&amendment)) {
      return hold(base, held->note, as.op);
    }
    if (const auto* altered = std::get_if<Alter>(&amendment)) {
      return altered->change(base, as);
    }
    if (const auto* dead = std::get_if<ReleaseDead>(&amendment)) {
      as.client = dead->client;
      as.token = dead->token;
      std::erase_if(as.waiting,
                    [&](const Ticket& ticket) { return ticket.claim.client == dead->client; });
      return dexlock::release(base, as);
    }
    return lift(base, as, std::get<LiftHold>(amendment).which);
  };
}

void Session::on_amend_done(SessionOutput& output, const Outcome& outcome, Instant now) {
  if (const auto* chosen = std::get_if<Chosen>(&outcome)) {
    goal_ = Goal::nothing;
    output.events.emplace_back(Amended{chosen->value, amendment_sent_});
  } else if (const auto* declined = std::get_if<DeclinedBy>(&outcome)) {
    goal_ = Goal::nothing;
    output.events.emplace_back(NotAmended{declined->declined, declined->base});
  } else {
    try_again(output, outcome, now);
  }
}

void Session::try_again(SessionOutput& output, const Outcome& outcome, Instant now) {
  const auto* refused = std::get_if<Refused>(&outcome);
  if (refused != nullptr && !refused->answered) {
    output.events.emplace_back(NoQuorum{});
    pause(AfterPause::propose, setup_.poll_max, now);
  } else {
    back_off(now);
  }
}

}  // namespace dexlock
