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

std::int64_t revision_in(const auto& revisions, const auto& key) {
  const auto at = revisions.find(key);
  return at == revisions.end() ? std::int64_t{0} : at->second;
}

Step promise_on_sight(Durable& durable, Soft& soft, const BootId& boot, const Prepare& prepare) {
  allow_any_round(durable, prepare);
  return apply(durable, soft, boot, prepare);
}

}  // namespace

EtcdAcceptor::EtcdAcceptor(Place place, std::shared_ptr<EtcdMemory> memory, Request request)
    : place_(std::move(place)), memory_(std::move(memory)), request_(std::move(request)) {}

EtcdAcceptor::Output EtcdAcceptor::start() {
  if (const auto* accept = std::get_if<Accept>(&request_)) {
    const auto at = memory_->tentatives.find(accept->ballot);
    tentative_ = at == memory_->tentatives.end() ? std::nullopt : std::optional(at->second);
  }
  return looks_first(request_) || !memory_->known ? look() : evaluate(*memory_->known, false);
}

// `fresh`: it was read within this request.
EtcdAcceptor::Output EtcdAcceptor::evaluate(const EtcdSight& seen, bool fresh) {
  verdict_.reset();
  next_.reset();
  changes_ = false;
  if (seen.record_revision == 0 && !std::holds_alternative<Post>(request_)) {
    Output output = without_record(seen, fresh);
    changes_ = output.txn && !output.txn->reads();
    return output;
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
  const std::string key = place_.keys.beat(heartbeat.token);
  const std::int64_t revision = revision_in(seen.beat_revisions, heartbeat.token);
  txn.compares = {place_.group,
                  {.key = place_.keys.record(), .revision = seen.record_revision},
                  {.key = key, .revision = revision}};
  txn.puts.push_back({.key = key, .value = std::to_string(heartbeat.beat)});
  if (revision == 0) {  // somebody has removed it: see EtcdSight::boot()
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
    txn.compares.push_back({.key = tickets.key, .end = tickets.end, .revision = seen.revision});
  } else {
    txn.ranges.push_back(keys.tickets());
  }
  if (tentative_ && tentative_->prepare.intent == Intent::evict) {
    const FencingToken victim = tentative_->prepare.victim;
    txn.compares.push_back(
        {.key = keys.beat(victim), .revision = revision_in(seen.beat_revisions, victim)});
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
  for (const Holder& holder : after.holders) {
    if (before.find(holder.token) == nullptr) {
      txn.puts.push_back({.key = keys.beat(holder.token), .value = "0"});
      next_->beat_revisions[holder.token] = 0;
    }
  }
  // A first heartbeat may have come since it was seen; no later one can.
  std::set<FencingToken> past;
  for (const auto& [token, _] : seen.beat_revisions) {
    past.insert(token);
  }
  for (const Holder& holder : before.holders) {
    past.insert(holder.token);
  }
  for (const FencingToken token : past) {
    if (after.find(token) == nullptr) {
      txn.deletes.push_back({.key = keys.beat(token)});
      next_->beat_revisions.erase(token);
      next_->soft.beats.erase(token);
    }
  }
  keep_history(before, after, txn);
  return txn;
}

// Of each hold one key for its begin and one for its end, so that neither needs to be read before;
// both are those of an older hold, so that none needs to be removed.
void EtcdAcceptor::keep_history(const Record& before, const Record& after, EtcdTxn& txn) const {
  const EtcdKeys& keys = place_.keys;
  const auto only_in = [](const Record& record, const Record& other) {
    std::vector<const Holder*> found;
    for (const Holder& holder : record.holders) {
      if (other.find(GrantId{holder.token, holder.op}) == nullptr && found.size() < kNotedMax) {
        found.push_back(&holder);
      }
    }
    return found;
  };
  const auto note = [&](std::string key, const PastHold& hold) {
    if (std::ranges::find(txn.puts, key, &EtcdPut::key) == txn.puts.end()) {  // etcd takes one each
      txn.puts.push_back(
          {.key = std::move(key), .value = past_hold_text(hold), .term = EtcdTerm::idle});
    }
  };
  for (const Holder* holder : only_in(after, before)) {
    note(keys.past(holder->token, '+'), {.token = holder->token,
                                         .from = place_.wall_time,
                                         .to = {},
                                         .state = HoldState::holding,
                                         .who = holder->who});
  }
  for (const Holder* holder : only_in(before, after)) {
    note(keys.past(holder->token, '-'), {.token = holder->token,
                                         .from = {},
                                         .to = place_.wall_time,
                                         .state = how_ended(*holder, after),
                                         .who = holder->who});
  }
}

EtcdAcceptor::Output EtcdAcceptor::on_written(const EtcdOutcome& outcome) {
  EtcdSight next = *std::exchange(next_, std::nullopt);
  next.revision = outcome.revision;
  next.record_revision = outcome.revision;
  for (auto& [_, revision] : next.beat_revisions) {
    revision = revision == 0 ? outcome.revision : revision;
  }
  if (!outcome.ranges.empty()) {
    learn_tickets(place_.keys, outcome.ranges.front(), next);
  }
  if (!memory_->known || memory_->known->revision <= next.revision) {
    memory_->known = next;
  }
  changes_ = false;
  return answer(*std::exchange(verdict_, std::nullopt), next);
}

EtcdAcceptor::Output EtcdAcceptor::on_outcome(const EtcdOutcome& outcome) {
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
  if (!memory_->known || memory_->known->revision <= seen->revision) {
    memory_->known = *seen;
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

EtcdAcceptor::Output EtcdAcceptor::on_unknown(std::optional<Fault> or_else) {
  if (std::exchange(verdict_, std::nullopt)) {  // the next outcome is that of reading
    maybe_done_ = true;
  }
  next_.reset();
  changes_ = false;
  or_else_ = std::move(or_else);
  return look();
}

std::optional<EtcdTxn> EtcdAcceptor::beat() {
  const auto* heartbeat = std::get_if<Heartbeat>(&request_);
  if (heartbeat == nullptr || !memory_->known || memory_->known->record_revision == 0) {
    return std::nullopt;
  }
  EtcdSight next = *memory_->known;
  if (apply(next.durable, next.soft, next.boot(), *heartbeat).verdict != Verdict::beating ||
      next.soft.beats == memory_->known->soft.beats ||
      !next.beat_revisions.contains(heartbeat->token)) {
    return std::nullopt;
  }
  beaten_over_ = memory_->known;
  return beating(*memory_->known, *heartbeat);
}

Reply EtcdAcceptor::on_beaten(std::int64_t revision, const std::vector<EtcdKeyValue>& tickets) {
  const auto& heartbeat = std::get<Heartbeat>(request_);
  // Another hold of this lock may have been renewed in the same transaction.
  const bool together = memory_->known && memory_->known->revision == revision;
  EtcdSight next = together ? *memory_->known : *beaten_over_;
  next.revision = revision;
  next.soft.beats[heartbeat.token] = heartbeat.beat;
  next.beat_revisions[heartbeat.token] = revision;
  learn_tickets(place_.keys, tickets, next);
  if (!memory_->known || memory_->known->revision <= revision) {
    memory_->known = next;
  }
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
  State state = state_of(seen.durable, seen.soft, seen.boot());
  if (state.tickets.size() > kTicketsPerReplyMax) {
    state.tickets.resize(kTicketsPerReplyMax);
  }
  return Output{.reply = Answer{verdict, std::move(state)}};
}

EtcdAcceptor::Output EtcdAcceptor::fault(FaultKind kind, const std::string& text) const {
  return Output{.reply = Fault{kind, place_.server + ": " + text}};
}

}  // namespace dexlock
