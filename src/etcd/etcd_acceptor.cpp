#include "etcd/etcd_acceptor.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

#include "wire/durable_text.hpp"

namespace dexlock {
namespace {

// So many lost races in a row mean that something else is wrong. After the first few it waits.
constexpr std::uint32_t kEtcdLostMax = 100;
constexpr std::uint32_t kEtcdLostAtOnce = 3;

// Of a ticket's time to live; a client that is late renews it all the same.
constexpr std::int64_t kTicketLeases = 3;

// Of the history of one lock in one write: so that with it a transaction stays small.
constexpr std::size_t kNotedMax = 16;

bool writes_record(const Request& request) {
  return std::holds_alternative<Accept>(request) || std::holds_alternative<Fast>(request);
}

bool looks_first(const Request& request) {
  return std::holds_alternative<Read>(request) || std::holds_alternative<Prepare>(request);
}

// Of so many that are granted the lock at once the tickets go with that write; then a transaction
// stays small.
constexpr std::size_t kUsedUpMax = 32;

std::int64_t revision_in(const auto& revisions, const auto& key) {
  const auto at = revisions.find(key);
  return at == revisions.end() ? std::int64_t{0} : at->second;
}

// To one that waits no more, which would keep the others waiting for as long as a claim takes.
bool hands_to_nobody(const EtcdSight& seen, const Record& next) {
  const Record before = seen.durable.value.value_or(Record{});
  return std::ranges::any_of(next.holders, [&](const Holder& holder) {
    return holder.ticket && before.find(holder.token) == nullptr &&
           !seen.ticket_revisions.contains(holder.client.text);
  });
}

Step promise_on_sight(Durable& durable, Soft& soft, const BootId& boot, const Prepare& prepare) {
  allow_any_round(durable, prepare);
  return apply(durable, soft, boot, prepare);
}

}  // namespace

EtcdAcceptor::EtcdAcceptor(Place place, std::shared_ptr<EtcdMemory> memory, Request request)
    : place_(std::move(place)),
      memory_(std::move(memory)),
      request_(std::move(request)),
      asked_after_(memory_->calls) {}

State shown(const EtcdSight& seen) {
  State state = state_of(seen.durable, seen.soft, seen.boot());
  if (state.tickets.size() > kTicketsPerReplyMax) {
    state.tickets.resize(kTicketsPerReplyMax);
  }
  return state;
}

std::optional<Answer> learn_record(Epoch epoch, const std::string& value, std::int64_t revision,
                                   EtcdMemory& memory) {
  auto durable = parse_durable(value);
  if (!memory.known || !durable || durable->promised.epoch != epoch.value || !durable->value ||
      durable->value->holders.size() > kUsedUpMax) {
    return std::nullopt;
  }
  EtcdSight& known = *memory.known;
  if (known.revision >= revision) {
    return Answer{Verdict::state, shown(known)};
  }
  const Record before = known.durable.value.value_or(Record{});
  EtcdSight next = known;
  next.revision = next.record_revision = revision;
  next.durable = std::move(*durable);
  const Record& record = *next.durable.value;
  const auto has_gone = [&](const auto& one) { return record.find(one.first) == nullptr; };
  std::erase_if(next.beat_keys, has_gone);
  std::erase_if(next.soft.beats, has_gone);
  std::erase_if(next.granted, has_gone);
  for (const Holder& holder : record.holders) {
    // With the grant came its heartbeat; where, only reading tells.
    next.beat_keys.try_emplace(holder.token, EtcdBeatKey{revision, {}});
    std::erase_if(next.soft.tickets,
                  [&](const Ticket& ticket) { return ticket.claim.client == holder.client; });
    const bool is_new = before.find(holder.token) == nullptr;
    if (is_new && holder.ticket) {  // used up by that write
      next.ticket_revisions.erase(holder.client.text);
    }
  }
  known = std::move(next);
  memory.known_by = 0;  // none that could be newer than what is asked
  return Answer{Verdict::state, shown(known)};
}

EtcdAcceptor::Output EtcdAcceptor::counted(Output output) {
  if (output.txn) {
    call_ = ++memory_->calls;
  }
  return output;
}

void EtcdAcceptor::remember(const EtcdSight& seen) {
  if (!memory_->known || memory_->known->revision <= seen.revision) {
    memory_->known = seen;
    memory_->known_by = call_;
  }
}

EtcdAcceptor::Output EtcdAcceptor::start() { return counted(begin()); }

EtcdAcceptor::Output EtcdAcceptor::begin() {
  if (const auto* accept = std::get_if<Accept>(&request_)) {
    const auto at = memory_->tentatives.find(accept->ballot);
    tentative_ = at == memory_->tentatives.end() ? std::nullopt : std::optional(at->second);
  }
  if (!memory_->known) {
    return look();
  }
  const auto* post = std::get_if<Post>(&request_);
  if (post != nullptr && post->remove && !memory_->posts_unsure &&
      memory_->known->tickets_revision >= memory_->posted_at &&
      !memory_->known->ticket_revisions.contains(post->ticket.claim.client.text)) {
    return answer(Verdict::state, *memory_->known);  // used up by the grant
  }
  const bool fresh = memory_->known_by > asked_after_;
  return looks_first(request_) && !fresh ? look() : evaluate(*memory_->known, fresh);
}

// `fresh`: it was read within this request, by whatever call.
EtcdAcceptor::Output EtcdAcceptor::evaluate(const EtcdSight& seen, bool fresh) {
  verdict_.reset();
  next_.reset();
  changes_ = false;
  if (seen.record_revision == 0 && !std::holds_alternative<Post>(request_)) {
    Output output = without_record(seen, fresh);
    changes_ = output.txn && !output.txn->reads();
    return output;
  }
  const bool writes = writes_record(request_) || std::holds_alternative<Heartbeat>(request_);
  if (writes && !seen.has_all_slots()) {
    return look();
  }
  Durable durable = seen.durable;
  Soft soft = seen.soft;
  const BootId boot = seen.boot();
  if (const auto* prepare = std::get_if<Prepare>(&request_)) {
    const Verdict verdict = promise_on_sight(durable, soft, boot, *prepare).verdict;
    if (verdict != Verdict::promise) {
      return settle(verdict, seen, fresh);
    }
    auto& tentatives = memory_->tentatives;
    std::erase_if(tentatives, [&](const auto& entry) {  // too low, or passed by this very one
      return entry.first < seen.durable.promised ||
             entry.first.proposer == prepare->ballot.proposer;
    });
    tentatives.insert_or_assign(prepare->ballot,
                                EtcdMemory::Tentative{*prepare, seen.record_revision});
    EtcdSight promised = seen;
    promised.durable = std::move(durable);
    return answer(verdict, promised);
  }
  if (const auto* accept = std::get_if<Accept>(&request_)) {
    // Another record may promise the very ballot that was promised on sight of this one: to an
    // heir.
    const bool on_record = !tentative_ && accept->ballot == durable.promised;
    if (tentative_ && tentative_->record_revision == seen.record_revision) {
      if (promise_on_sight(durable, soft, boot, tentative_->prepare).verdict != Verdict::promise) {
        return settle(Verdict::low, seen, fresh);
      }
    } else if (!on_record && accept->ballot != durable.accepted) {
      return settle(Verdict::low, seen, fresh);  // a value is taken only on a promise
    }
    if (hands_to_nobody(seen, accept->value)) {
      return settle(Verdict::low, seen, fresh);
    }
  }
  const Step step = apply(durable, soft, boot, request_);
  if (!step.durable_changed && !step.soft_changed) {
    const auto* heartbeat = std::get_if<Heartbeat>(&request_);
    const bool passed = step.verdict == Verdict::behind &&
                        heartbeat->token <= make_token(place_.where.epoch, seen.count());
    return settle(passed ? Verdict::gone : step.verdict, seen, fresh);
  }
  if (or_else_) {
    return Output{.reply = *or_else_};
  }
  verdict_ = step.verdict;
  changes_ = true;
  Output output;
  if (const auto* post = std::get_if<Post>(&request_)) {
    output.txn = posting(seen, *post);
    if (!post->remove) {
      const auto ttl = std::chrono::ceil<std::chrono::seconds>(post->ticket.ttl).count();
      output.lease_seconds = std::max<std::int64_t>(1, ttl) * kTicketLeases;
    }
  } else if (const auto* heartbeat = std::get_if<Heartbeat>(&request_)) {
    output.txn = beating(seen, *heartbeat);
  } else {
    output.txn = writing(seen, durable);
  }
  output.crowded = lost_ >= kEtcdLostAtOnce;
  return output;
}

// A verdict that changes nothing.
EtcdAcceptor::Output EtcdAcceptor::settle(Verdict verdict, const EtcdSight& seen,
                                          bool fresh) const {
  if (!fresh) {
    return look();
  }
  if (maybe_done_ && writes_record(request_) && verdict != Verdict::accepted &&
      verdict != Verdict::two_values) {
    return fault(FaultKind::unreachable,
                 "no answer in time, and others have changed the lock since");
  }
  return answer(verdict, seen);
}

EtcdAcceptor::Output EtcdAcceptor::without_record(const EtcdSight& seen, bool fresh) const {
  if (!fresh) {
    return look();
  }
  if (std::holds_alternative<Heartbeat>(request_)) {
    return settle(Verdict::gone, seen, fresh);
  }
  if (seen.is_orphaned()) {
    const std::string name = place_.keys.name;
    return fault(FaultKind::corrupt,
                 "the record of lock " + name + " was removed while it was held; when its holder " +
                     "has ended, remove the keys " + place_.keys.beats().key + "*");
  }
  if (std::holds_alternative<Accept>(request_)) {
    return settle(Verdict::low, seen, fresh);
  }
  if (std::holds_alternative<Read>(request_)) {
    return settle(Verdict::state, seen, fresh);
  }
  return or_else_ ? Output{.reply = *or_else_}
                  : Output{.txn = making(), .crowded = lost_ >= kEtcdLostAtOnce};
}

// Makes the record, without a value.
EtcdTxn EtcdAcceptor::making() const {
  EtcdTxn txn = empty_txn();
  const EtcdRange beats = place_.keys.beats();
  txn.compares = {place_.group,
                  {.key = place_.keys.record(), .revision = 0},
                  {.key = beats.key, .end = beats.end, .revision = 0}};
  txn.puts.push_back({.key = place_.keys.record(),
                      .value = durable_text(absent_record(place_.where.epoch)),
                      .term = EtcdTerm::idle});
  return txn;
}

EtcdTxn EtcdAcceptor::posting(const EtcdSight& seen, const Post& post) const {
  EtcdTxn txn = empty_txn();
  const std::string& client = post.ticket.claim.client.text;
  const std::string key = place_.keys.ticket(client);
  txn.compares = {place_.group,
                  {.key = key, .revision = revision_in(seen.ticket_revisions, client)}};
  if (post.remove) {
    txn.deletes.push_back({.key = key});
  } else {
    txn.puts.push_back({.key = key, .value = ticket_text(post.ticket), .term = EtcdTerm::ticket});
  }
  return txn;
}

EtcdTxn EtcdAcceptor::beating(const EtcdSight& seen, const Heartbeat& heartbeat) const {
  EtcdTxn txn = empty_txn();
  const auto at = seen.beat_keys.find(heartbeat.token);
  const bool is_there = at != seen.beat_keys.end();
  const std::string key = place_.keys.beat(is_there ? at->second.slot.value() : seen.free_slot());
  const std::int64_t revision = is_there ? at->second.revision : 0;
  txn.compares = {place_.group,
                  {.key = place_.keys.record(), .revision = seen.record_revision},
                  {.key = key, .revision = revision}};
  txn.puts.push_back(
      {.key = key,
       .value = beat_text(heartbeat.token, heartbeat.beat, seen.granted_at(heartbeat.token))});
  if (!is_there) {  // somebody has removed it: see EtcdSight::boot()
    txn.puts.push_back({.key = place_.keys.record(), .value = durable_text(seen.durable)});
  }
  return txn;
}

// The record as `next`, if what that rests on is still as it was seen. Of what is known without a
// look nothing is read.
EtcdTxn EtcdAcceptor::writing(const EtcdSight& seen, const Durable& next) {
  const EtcdKeys& keys = place_.keys;
  next_ = seen;
  next_->durable = next;
  next_->record_revision = 0;
  EtcdTxn txn;
  txn.else_ranges = empty_txn().ranges;
  txn.compares = {place_.group, {.key = keys.record(), .revision = seen.record_revision}};
  if (std::holds_alternative<Fast>(request_)) {  // nobody has come to wait since
    const EtcdRange tickets = keys.tickets();
    txn.compares.push_back(
        {.key = tickets.key, .end = tickets.end, .revision = seen.tickets_revision});
  } else {
    txn.ranges.push_back(keys.tickets());
  }
  if (tentative_ && tentative_->prepare.intent == Intent::evict) {
    // Of one that is missing the record tells whether it comes back.
    const auto victim = seen.beat_keys.find(tentative_->prepare.victim);
    if (victim != seen.beat_keys.end()) {
      txn.compares.push_back(
          {.key = keys.beat(victim->second.slot.value()), .revision = victim->second.revision});
    }
  }
  const Record before = seen.durable.value.value_or(Record{});
  const Record after = next.value.value_or(Record{});
  txn.puts.push_back({.key = keys.record(),
                      .value = durable_text(next),
                      .term = is_idle(next) ? EtcdTerm::idle : EtcdTerm::never});
  if (after.count > static_cast<std::uint64_t>(seen.revision) + 1) {  // what this write is at least
    txn.puts.push_back({.key = keys.mark(), .value = std::to_string(after.count)});
    next_->mark = after.count;
  } else if (seen.mark != 0 && seen.mark <= static_cast<std::uint64_t>(seen.revision)) {
    txn.deletes.push_back({.key = keys.mark()});
    next_->mark = 0;
  }
  std::vector<const Holder*> came;
  for (const Holder& holder : after.holders) {
    if (before.find(holder.token) == nullptr) {
      const std::uint64_t slot = next_->free_slot();
      txn.puts.push_back(
          {.key = keys.beat(slot), .value = beat_text(holder.token, 0, place_.wall_time)});
      next_->beat_keys[holder.token] = {0, slot};
      next_->granted[holder.token] = place_.wall_time;
      came.push_back(&holder);
    }
  }
  if (came.size() <= kUsedUpMax) {
    for (const Holder* holder : came) {
      use_up_ticket(*holder, txn);
    }
  }
  for (const auto& [token, beat] : seen.beat_keys) {  // of another one the record would tell
    if (after.find(token) == nullptr) {
      txn.deletes.push_back({.key = keys.beat(beat.slot.value())});
      next_->beat_keys.erase(token);
      next_->soft.beats.erase(token);
      next_->granted.erase(token);
    }
  }
  keep_history(seen, before, after, txn);
  return txn;
}

void EtcdAcceptor::use_up_ticket(const Holder& holder, EtcdTxn& txn) {
  if (next_->ticket_revisions.erase(holder.client.text) == 0) {
    return;
  }
  const std::string key = place_.keys.ticket(holder.client.text);
  if (holder.ticket) {
    txn.compares.push_back({.key = key, .present = true});
  }
  txn.deletes.push_back({.key = key});
  std::erase_if(next_->soft.tickets,
                [&](const Ticket& ticket) { return ticket.claim.client == holder.client; });
}

// Of each hold that ends one key, which was that of an older one, so that none needs to be removed.
void EtcdAcceptor::keep_history(const EtcdSight& seen, const Record& before, const Record& after,
                                EtcdTxn& txn) const {
  std::set<std::string> noted;  // etcd takes a key once in a transaction
  for (const Holder& holder : before.holders) {
    const std::string key = place_.keys.past(holder.token);
    const bool stays = after.find(GrantId{holder.token, holder.op}) != nullptr;
    if (stays || noted.size() == kNotedMax || !noted.insert(key).second) {
      continue;
    }
    const PastHold hold{.token = holder.token,
                        .from = seen.granted_at(holder.token),
                        .to = place_.wall_time,
                        .state = how_ended(holder, after),
                        .who = holder.who};
    txn.puts.push_back({.key = key, .value = past_hold_text(hold), .term = EtcdTerm::idle});
  }
}

EtcdAcceptor::Output EtcdAcceptor::on_written(const EtcdOutcome& outcome) {
  EtcdSight next = *std::exchange(next_, std::nullopt);
  next.revision = outcome.revision;
  next.record_revision = outcome.revision;
  for (auto& [_, beat] : next.beat_keys) {
    beat.revision = beat.revision == 0 ? outcome.revision : beat.revision;
  }
  if (outcome.ranges.empty()) {
    next.tickets_revision = outcome.revision;  // as was compared
  } else {
    learn_tickets(place_.keys, outcome.ranges.front(), next);
  }
  remember(next);
  changes_ = false;
  return answer(*std::exchange(verdict_, std::nullopt), next);
}

EtcdAcceptor::Output EtcdAcceptor::on_outcome(const EtcdOutcome& outcome) {
  return counted(conclude(outcome));
}

EtcdAcceptor::Output EtcdAcceptor::conclude(const EtcdOutcome& outcome) {
  const std::size_t parts = empty_txn().ranges.size();
  if (outcome.cluster != place_.cluster) {
    memory_->known.reset();
    return fault(FaultKind::not_member,
                 "another etcd cluster answers than the one of this group; correct lock_servers");
  }
  if (next_ && outcome.succeeded) {
    return on_written(outcome);
  }
  if (outcome.ranges.size() != parts || outcome.ranges.back().size() != 1 ||
      outcome.ranges.back()[0].mod_revision != place_.group.revision) {
    memory_->known.reset();
    return fault(FaultKind::not_member, "its keys were removed, or belong to another group now");
  }
  const auto seen = sight_of(place_.keys, place_.where.epoch, outcome);
  if (!seen) {
    memory_->known.reset();
    return fault(FaultKind::corrupt, "the keys of lock " + place_.keys.name + " below " +
                                         place_.keys.prefix + " are not what this program writes");
  }
  remember(*seen);
  if (std::holds_alternative<Post>(request_)) {
    memory_->posted_at = std::max(memory_->posted_at, seen->revision);
  }
  const std::optional<Verdict> verdict = std::exchange(verdict_, std::nullopt);
  const bool changed = std::exchange(changes_, false);
  if (verdict && outcome.succeeded) {
    return answer(*verdict, *seen);
  }
  if (changed && !outcome.succeeded && ++lost_ > kEtcdLostMax) {
    return fault(FaultKind::busy, "too many clients write this lock at once");
  }
  if (std::holds_alternative<Read>(request_) && !seen->is_orphaned()) {
    return answer(Verdict::state, *seen);
  }
  return evaluate(*seen, true);
}

void EtcdAcceptor::give_up() {
  memory_->posts_unsure = memory_->posts_unsure || std::holds_alternative<Post>(request_);
}

EtcdAcceptor::Output EtcdAcceptor::on_unknown(std::optional<Fault> or_else) {
  if (std::exchange(verdict_, std::nullopt)) {  // the next outcome is that of reading
    maybe_done_ = true;
    memory_->posts_unsure = memory_->posts_unsure || std::holds_alternative<Post>(request_);
  }
  next_.reset();
  changes_ = false;
  or_else_ = std::move(or_else);
  return counted(look());
}

std::optional<EtcdTxn> EtcdAcceptor::beat() {
  const auto* heartbeat = std::get_if<Heartbeat>(&request_);
  if (heartbeat == nullptr || !memory_->known || memory_->known->record_revision == 0) {
    return std::nullopt;
  }
  EtcdSight next = *memory_->known;
  if (apply(next.durable, next.soft, next.boot(), *heartbeat).verdict != Verdict::beating ||
      next.soft.beats == memory_->known->soft.beats || !next.beat_keys.contains(heartbeat->token) ||
      !next.has_all_slots()) {
    return std::nullopt;
  }
  beaten_over_ = memory_->known;
  call_ = ++memory_->calls;
  return beating(*memory_->known, *heartbeat);
}

Reply EtcdAcceptor::on_beaten(std::int64_t revision, const std::vector<EtcdKeyValue>& tickets) {
  const auto& heartbeat = std::get<Heartbeat>(request_);
  // Another hold of this lock may have been renewed in the same transaction.
  const bool together = memory_->known && memory_->known->revision == revision;
  EtcdSight next = together ? *memory_->known : *beaten_over_;
  next.revision = revision;
  next.soft.beats[heartbeat.token] = heartbeat.beat;
  next.beat_keys[heartbeat.token].revision = revision;
  learn_tickets(place_.keys, tickets, next);
  remember(next);
  return *answer(Verdict::beating, next).reply;
}

EtcdTxn EtcdAcceptor::empty_txn() const {
  EtcdTxn txn;
  txn.ranges = sight_ranges(place_.keys);
  txn.ranges.push_back({.key = place_.group.key, .keys_only = true});
  return txn;
}

EtcdAcceptor::Output EtcdAcceptor::look() const { return Output{.txn = empty_txn()}; }

EtcdAcceptor::Output EtcdAcceptor::answer(Verdict verdict, const EtcdSight& seen) const {
  return Output{.reply = Answer{verdict, shown(seen)}};
}

EtcdAcceptor::Output EtcdAcceptor::fault(FaultKind kind, const std::string& text) const {
  return Output{.reply = Fault{kind, place_.server + ": " + text}};
}

}  // namespace dexlock
