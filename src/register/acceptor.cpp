#include "register/acceptor.hpp"

#include <algorithm>

#include "lock/change.hpp"
#include "lock/invariant.hpp"

namespace dexlock {
namespace {

Record value_of(const Durable& durable) { return durable.value.value_or(Record{}); }

bool lists(const Durable& durable, FencingToken token) {
  return durable.value && durable.value->find(token) != nullptr;
}

// True if there was something to forget.
bool forget_oldest_past_beats(const Durable& durable, Soft& soft) {
  const std::size_t before = soft.beats.size();
  std::size_t past = 0;
  for (auto at = soft.beats.rbegin(); at != soft.beats.rend();) {
    if (lists(durable, at->first) || ++past <= kPastBeatsMax) {
      ++at;
    } else {
      at = std::make_reverse_iterator(soft.beats.erase(std::next(at).base()));
    }
  }
  return soft.beats.size() != before;
}

std::optional<Verdict> refusal(const Durable& durable, const Soft& soft, const BootId& boot,
                               const Prepare& prepare) {
  if (prepare.ballot <= durable.promised || prepare.ballot.fast != 0 ||
      prepare.ballot.epoch != durable.promised.epoch) {
    return Verdict::low;
  }
  if (prepare.ballot.round > std::uint64_t{durable.promised.round} + kRoundStepMax) {
    return Verdict::far;
  }
  if (prepare.intent == Intent::acquire && !compatible(value_of(durable), prepare.claim)) {
    return Verdict::held;
  }
  if (prepare.intent == Intent::evict) {
    const auto at = soft.beats.find(prepare.victim);
    const std::uint32_t beat = at == soft.beats.end() ? 0 : at->second;
    const bool vouches = std::ranges::find(prepare.boots, boot) != prepare.boots.end();
    if (beat > prepare.beat || !vouches) {
      return Verdict::alive;
    }
  }
  return std::nullopt;
}

Step on(Durable& durable, Soft& soft, const BootId& boot, const Prepare& prepare) {
  if (const auto why = refusal(durable, soft, boot, prepare)) {
    return Step{.verdict = *why};
  }
  durable.promised = prepare.ballot;
  if (prepare.intent == Intent::evict || prepare.intent == Intent::force) {
    durable.fence = prepare.ballot;
  }
  return Step{.verdict = Verdict::promise, .durable_changed = true};
}

Step on(Durable& durable, Soft& soft, const BootId&, const Accept& accept) {
  if (accept.ballot == durable.accepted && accept.ballot.fast == 0) {
    const bool same = durable.value == accept.value;
    return Step{.verdict = same ? Verdict::accepted : Verdict::two_values};
  }
  if (accept.ballot.fast != 0 || accept.ballot < durable.promised ||
      accept.ballot < durable.accepted || accept.ballot.epoch != durable.promised.epoch) {
    return Step{.verdict = Verdict::low};
  }
  durable.accepted = accept.ballot;
  durable.value = accept.value;
  durable.promised = accept.ballot;
  if (accept.next && accept.next->epoch == accept.ballot.epoch &&
      accept.next->round == accept.ballot.round + 1 && accept.next->fast == 0) {
    durable.promised = *accept.next;
  }
  durable.open = accept.open && !accept.next && accept.value.is_free();
  durable.copied = false;
  const bool forgot = forget_oldest_past_beats(durable, soft);
  return Step{.verdict = Verdict::accepted, .durable_changed = true, .soft_changed = forgot};
}

// Who waits in line goes first: then whoever asks here has to prepare.
bool waited_for(const Soft& soft, const Ticket& asker) {
  return std::ranges::any_of(soft.tickets, [&](const Ticket& ticket) {
    return ticket.claim.client != asker.claim.client;
  });
}

// The asker has had the lock since it asked, and has given it up: the message comes too late.
bool comes_late(const Record& base, Epoch epoch, const Ticket& asker) {
  return base.last && base.last->client == asker.claim.client &&
         base.last->token > make_token(epoch, asker.number);
}

Step on(Durable& durable, Soft& soft, const BootId&, const Fast& fast) {
  const Record base = value_of(durable);
  const Claim& claim = fast.asker.claim;
  const Holder* holder = base.find(claim.client);
  if (durable.accepted.fast != 0 && holder != nullptr && holder->op == fast.op) {
    return Step{.verdict = Verdict::accepted};  // its own vote once more
  }
  if (!compatible(base, claim)) {
    return Step{.verdict = Verdict::held};
  }
  const bool open = durable.open && !durable.copied && durable.accepted.fast == 0 &&
                    durable.promised == durable.accepted && base.is_free();
  if (!open || durable.accepted.round >= kRoundMax || waited_for(soft, fast.asker) ||
      comes_late(base, Epoch{durable.promised.epoch}, fast.asker)) {
    return Step{.verdict = Verdict::low};
  }
  Change change = acquire(base, AcquireSpec{.claim = claim,
                                            .op = fast.op,
                                            .epoch = Epoch{durable.promised.epoch},
                                            .terms = fast.asker.terms,
                                            .who = fast.asker.who});
  if (!change.next) {
    return Step{.verdict = Verdict::low};
  }
  durable.accepted.fast = 1;
  durable.value = std::move(change.next);
  durable.promised =
      Ballot{durable.accepted.epoch, durable.accepted.round + 1, fast.asker.proposer, 0};
  durable.open = false;
  const bool forgot = forget_oldest_past_beats(durable, soft);
  return Step{.verdict = Verdict::accepted, .durable_changed = true, .soft_changed = forgot};
}

Step on(Durable& durable, Soft& soft, const BootId&, const Heartbeat& heartbeat) {
  if (durable.fence > durable.accepted) {
    return Step{.verdict = Verdict::fenced};
  }
  if (!lists(durable, heartbeat.token)) {
    const bool newer = durable.accepted >= heartbeat.granted;
    return Step{.verdict = newer ? Verdict::gone : Verdict::behind};
  }
  const auto at = soft.beats.find(heartbeat.token);
  const bool rises = heartbeat.beat > (at == soft.beats.end() ? 0 : at->second);
  if (rises) {
    soft.beats[heartbeat.token] = heartbeat.beat;
  }
  return Step{.verdict = Verdict::beating, .soft_changed = rises};
}

Step on(Durable&, Soft&, const BootId&, const Read&) { return Step{}; }

Step on(Durable&, Soft& soft, const BootId&, const Post& post) {
  const auto at = std::ranges::find(soft.tickets, post.ticket.claim.client,
                                    [](const Ticket& ticket) { return ticket.claim.client; });
  if (at == soft.tickets.end()) {
    if (!post.remove && soft.tickets.size() < kTicketsPerReplyMax) {
      soft.tickets.push_back(post.ticket);
      return Step{.soft_changed = true};
    }
    return Step{};
  }
  if (post.ticket.refresh < at->refresh) {
    return Step{};  // an older refresh that arrives late
  }
  if (post.remove) {
    soft.tickets.erase(at);
  } else {
    *at = post.ticket;
  }
  return Step{.soft_changed = true};
}

}  // namespace

Durable absent_record(Epoch epoch) {
  const Ballot zero = zero_ballot(epoch);
  return Durable{.promised = zero, .fence = zero, .accepted = zero, .value = std::nullopt};
}

void allow_any_round(Durable& durable, const Prepare& prepare) {
  const Ballot& asked = prepare.ballot;
  if (asked.epoch == durable.promised.epoch && asked.round > kRoundStepMax) {
    durable.promised.round = std::max(durable.promised.round, asked.round - kRoundStepMax);
  }
}

Step apply(Durable& durable, Soft& soft, const BootId& boot, const Request& request) {
  const Ballot promised_before = durable.promised;
  const Ballot accepted_before = durable.accepted;
  const Step step =
      std::visit([&](const auto& asked) { return on(durable, soft, boot, asked); }, request);
  INVARIANT(durable.promised >= promised_before);
  INVARIANT(durable.accepted >= accepted_before);
  INVARIANT(durable.accepted <= durable.promised);
  INVARIANT(durable.fence <= durable.promised);
  return step;
}

State state_of(const Durable& durable, const Soft& soft, const BootId& boot) {
  return State{.promised = durable.promised,
               .fence = durable.fence,
               .accepted = durable.accepted,
               .open = durable.open,
               .copied = durable.copied,
               .value = durable.value,
               .beats = soft.beats,
               .boot = boot,
               .tickets = soft.tickets};
}

}  // namespace dexlock
