#include "lock/change.hpp"

#include <algorithm>

#include "lock/invariant.hpp"
#include "lock/migration.hpp"
#include "lock/record_text.hpp"

namespace dexlock {
namespace {

// Takes the entries that `gone` selects out of the record; true if there was one.
template <class Predicate>
bool remove_holders(Record& record, EndKind how, bool keep_unfenced, Predicate gone) {
  bool removed = false;
  const bool keep = keep_unfenced && is_unfenced(record.last);
  for (const Holder& holder : record.holders) {
    if (gone(holder)) {
      if (!keep) {
        record.last = Departed{holder.token, holder.client, how, false, holder.who};
      }
      removed = true;
    }
  }
  std::erase_if(record.holders, gone);
  if (record.holders.empty()) {
    record.capacity = 1;
  }
  return removed;
}

std::optional<Declined> refusal(const Record& record, const AcquireSpec& spec) {
  if (record.gate.state != GateState::open) {
    return Declined::gate_closed;
  }
  if (!compatible(record, spec.claim)) {
    return Declined::held;
  }
  if (spec.claim.weight == 0 || spec.claim.capacity == 0) {
    return Declined::no_room;
  }
  if (record.count >= kTokenCountMax) {
    return Declined::used_up;
  }
  if (record.holders.size() >= std::min(spec.holders_max, kHoldersMax)) {
    return Declined::no_room;
  }
  return std::nullopt;
}

void grant(Record& record, const AcquireSpec& spec, std::optional<std::uint32_t> ticket) {
  const std::uint64_t before = record.count;
  ++record.count;
  INVARIANT(record.count > before);
  INVARIANT(record.count <= kTokenCountMax);
  if (spec.claim.mode == Mode::semaphore) {
    record.capacity = spec.claim.capacity;
  }
  record.holders.push_back(Holder{.token = make_token(spec.epoch, record.count),
                                  .client = spec.claim.client,
                                  .op = spec.op,
                                  .mode = spec.claim.mode,
                                  .weight = spec.claim.weight,
                                  .terms = spec.terms,
                                  .ticket = ticket,
                                  .who = spec.who,
                                  .later_fields = {}});
}

// Grants to as many of `chosen` as there is room for. If that makes one of them the only holder, it
// is its proposer who may have the next ballot.
std::optional<ProposerId> grant_to(Record& next, const std::vector<Ticket>& chosen, Epoch epoch,
                                   std::size_t holders_max) {
  const bool was_free = next.is_free();
  std::optional<ProposerId> only;
  for (const Ticket& heir : chosen) {
    const AcquireSpec as{.claim = heir.claim,
                         .op = inherited_op(heir),
                         .epoch = epoch,
                         .terms = heir.terms,
                         .who = heir.who,
                         .holders_max = holders_max};
    if (refusal(next, as)) {
      break;
    }
    Record more = next;
    grant(more, as, heir.refresh);
    if (!can_be_read_back(more)) {
      break;
    }
    next = std::move(more);
    only = heir.proposer;
  }
  return was_free && next.holders.size() == 1 ? only : std::nullopt;
}

// An absent record has no text of its own.
Record as_written(Record base, const OpId& op) {
  if (base.op.text.empty()) {
    base.op = op;
  }
  return base;
}

// `next`, from which somebody has left or in whose way nothing is any more, with those who wait.
Change passed_on(Record next, const ReleaseSpec& spec) {
  Change change;
  if (next.gate.state == GateState::open) {
    change.heir = grant_to(next, heirs(next, spec.waiting), spec.epoch, spec.holders_max);
  }
  next.op = spec.op;
  change.next = std::move(next);
  return change;
}

template <class Predicate>
Change take_away(const Record& base, EndKind how, const ReleaseSpec& spec, Predicate gone) {
  if (base.version > kRecordVersion) {
    return Change::decline(Declined::too_new);
  }
  Record next = base;
  if (!remove_holders(next, how, spec.keep_unfenced, gone)) {
    return Change::write(as_written(base, spec.op));
  }
  return passed_on(std::move(next), spec);
}

}  // namespace

Change Change::write_if_room(Record record) {
  return can_be_read_back(record) ? write(std::move(record)) : decline(Declined::no_room);
}

bool is_unfenced(const std::optional<Departed>& departed) {
  return departed && departed->how != EndKind::released && !departed->fenced;
}

OpId inherited_op(const Ticket& ticket) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr std::size_t kRefreshDigits = 8;
  std::string text = ticket.claim.client.text.substr(0, kIdBytesMax - kRefreshDigits);
  for (std::size_t digit = kRefreshDigits; digit-- > 0;) {
    text += kDigits[(ticket.refresh >> (4 * digit)) & 15U];
  }
  return OpId{text};
}

Change acquire(const Record& base, const AcquireSpec& spec) {
  if (base.version > kRecordVersion) {
    return Change::decline(Declined::too_new);
  }
  const Holder* mine = base.find(spec.claim.client);
  if (mine != nullptr && mine->op == spec.op) {
    return Change::write(base);
  }
  Record next = base;
  remove_holders(next, EndKind::released, spec.keep_unfenced,
                 [&](const Holder& holder) { return holder.client == spec.claim.client; });
  if (const auto why = refusal(next, spec)) {
    return Change::decline(*why);
  }
  grant(next, spec, std::nullopt);
  next.op = spec.op;
  return Change::write_if_room(std::move(next));
}

Change release(const Record& base, const ReleaseSpec& spec) {
  return take_away(base, EndKind::released, spec, [&](const Holder& holder) {
    return holder.client == spec.client && (!spec.token || holder.token == *spec.token);
  });
}

Change break_holder(const Record& base, FencingToken token, const ReleaseSpec& spec) {
  if (base.op.text.empty()) {
    return Change::decline(Declined::not_held);  // nobody has ever had this lock
  }
  return take_away(base, EndKind::broken, spec,
                   [&](const Holder& holder) { return holder.token == token; });
}

Change hold(const Record& base, const std::string& note, const OpId& op) {
  if (base.version > kRecordVersion) {
    return Change::decline(Declined::too_new);
  }
  if (base.gate.state == GateState::moved || is_arriving(base.gate)) {
    return Change::decline(Declined::gate_closed);
  }
  const Gate gate{.state = GateState::hold, .note = note};
  if (base.gate == gate) {
    return Change::write(base);
  }
  Record next = base;
  next.gate = gate;
  next.op = op;
  return Change::write_if_room(std::move(next));
}

Change lift(const Record& base, const ReleaseSpec& spec, Lift which) {
  if (base.version > kRecordVersion) {
    return Change::decline(Declined::too_new);
  }
  if (base.gate.state == GateState::moved || (is_arriving(base.gate) && which != Lift::arrived)) {
    return Change::decline(Declined::gate_closed);
  }
  if (base.gate.state == GateState::open) {
    return Change::write(as_written(base, spec.op));
  }
  Record next = base;
  next.gate = {};
  return passed_on(std::move(next), spec);
}

Change hand_over(const Record& base, const std::optional<ClientId>& heir, ReleaseSpec spec) {
  const auto is_heir = [&](const Ticket& ticket) { return ticket.claim.client == heir; };
  if (heir) {
    const auto at = std::ranges::find_if(spec.waiting, is_heir);
    if (at != spec.waiting.end()) {
      std::rotate(spec.waiting.begin(), at, std::next(at));
    }
  }
  Change change = release(base, spec);
  if (!change.next) {
    return change;
  }
  const bool held = base.find(spec.client) != nullptr;
  const bool granted =
      change.next->count > base.count && (!heir || change.next->find(*heir) != nullptr);
  return held && granted ? change : Change::decline(held ? Declined::held : Declined::not_held);
}

Change plain_release(const Record& base, FencingToken token) {
  if (base.version > kRecordVersion) {
    return Change::decline(Declined::too_new);
  }
  Record next = base;
  const bool removed = remove_holders(next, EndKind::released, false,
                                      [&](const Holder& holder) { return holder.token == token; });
  if (!removed || !next.is_free()) {
    return Change::decline(Declined::not_held);
  }
  next.op = OpId{"release" + std::to_string(token.value)};
  return Change::write(std::move(next));
}

Change acquire_in_turn(const Record& base, const AcquireSpec& spec,
                       const std::vector<Ticket>& waiting) {
  const auto same_client = [&](const Ticket& ticket) {
    return ticket.claim.client == spec.claim.client;
  };
  const auto mine = std::ranges::find_if(waiting, same_client);
  const std::vector<Ticket> seniors(waiting.begin(), mine);
  const Holder* own = base.find(spec.claim.client);
  const bool inherited = own != nullptr && own->ticket;
  if (seniors.empty() || base.version > kRecordVersion || base.gate.state != GateState::open ||
      inherited) {
    return acquire(base, spec);
  }
  // Another grant of its own it does not rely on, or it would not ask: a vote of a fast ballot,
  // which asks nobody who waits.
  Record next = base;
  remove_holders(next, EndKind::released, spec.keep_unfenced,
                 [&](const Holder& holder) { return holder.client == spec.claim.client; });
  Change change;
  change.heir = grant_to(next, heirs(next, seniors), spec.epoch, spec.holders_max);
  const bool handed_over = next.count > base.count;
  const bool all_served = next.count == base.count + seniors.size();
  if (!all_served && !handed_over && own == nullptr) {
    return Change::decline(
        Declined::held);  // a senior is not compatible with the holders: it is next
  }
  next.op = spec.op;
  if (all_served) {
    if (Change with_me = acquire(next, spec); with_me.next) {
      return with_me;
    }
  }
  change.next = std::move(next);
  return change;
}

Change acquire_unless_waited_for(const Record& base, const AcquireSpec& spec,
                                 const std::vector<Ticket>& waiting) {
  const bool joins = !base.is_free() && base.find(spec.claim.client) == nullptr;
  const bool waited_for = std::ranges::any_of(
      waiting, [&](const Ticket& ticket) { return !compatible(base, ticket.claim); });
  return joins && waited_for ? Change::decline(Declined::held) : acquire(base, spec);
}

Change evict(const Record& base, const GrantId& victim, const AcquireSpec& spec,
             const std::vector<Ticket>& waiting) {
  if (base.version > kRecordVersion) {
    return Change::decline(Declined::too_new);
  }
  Record next = base;
  const bool removed = remove_holders(
      next, EndKind::expired, spec.keep_unfenced,
      [&](const Holder& holder) { return holder.token == victim.token && holder.op == victim.op; });
  std::vector<Ticket> others = waiting;
  std::erase_if(others, [&](const Ticket& ticket) {
    const Holder* evicted = base.find(victim);
    return evicted != nullptr && ticket.claim.client == evicted->client;
  });
  Change granted = acquire_in_turn(next, spec, others);
  if (granted.next || !removed) {
    return granted;
  }
  next.op = spec.op;
  return Change::write(std::move(next));
}

Change confirm(const Record& base, const ClientId& client, FencingToken token) {
  const Holder* mine = base.find(token);
  if (mine == nullptr || mine->client != client) {
    return Change::decline(Declined::not_held);
  }
  return Change::write(base);
}

Change store_value(const Record& base, const ClientId& client, FencingToken token,
                   const std::string& text, const OpId& op) {
  Change change = confirm(base, client, token);
  if (!change.next) {
    return change;
  }
  if (base.version > kRecordVersion) {
    return Change::decline(Declined::too_new);
  }
  change.next->op = op;
  change.next->data = text;
  change.next->data_token = token;
  return !can_be_read_back(*change.next) ? Change::decline(Declined::no_room) : change;
}

Change mark_fenced(const Record& base, const ClientId& client, FencingToken token,
                   FencingToken fenced, const OpId& op) {
  Change change = confirm(base, client, token);
  if (!change.next || base.version > kRecordVersion) {
    return change.next ? Change::decline(Declined::too_new) : change;
  }
  change.next->op = op;
  if (change.next->last && change.next->last->token == fenced) {
    change.next->last->fenced = true;
  }
  return change;
}

}  // namespace dexlock
