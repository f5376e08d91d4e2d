#include "etcd/etcd_acceptor.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

#include "lock/fields.hpp"
#include "wire/durable_text.hpp"

namespace dexlock {
namespace {

using Known = EtcdMemory::Known;

// So many lost races in a row mean that something else is wrong.
constexpr std::uint32_t kEtcdLostMax = 100;

// More is not ours: one lock has kHoldersMax holders, and keeps kTicketsPerReplyMax tickets.
constexpr std::int64_t kKeysMax = 256;

// Of a ticket's time to live; a client that is late renews it all the same.
constexpr std::int64_t kTicketLeases = 3;

bool writes_record(const Request& request) {
  return std::holds_alternative<Accept>(request) || std::holds_alternative<Fast>(request);
}

bool knows_beats_as_they_are(const Request& request) {
  const auto* prepare = std::get_if<Prepare>(&request);
  return prepare != nullptr && prepare->intent == Intent::evict;
}

}  // namespace

EtcdRange range_of_prefix(std::string prefix) {
  EtcdRange range{.key = prefix, .end = std::move(prefix)};
  ++range.end.back();  // a prefix ends with a separator of ours
  return range;
}

EtcdAcceptor::EtcdAcceptor(Place place, std::shared_ptr<EtcdMemory> memory, Request request)
    : place_(std::move(place)), memory_(std::move(memory)), request_(std::move(request)) {}

EtcdAcceptor::Output EtcdAcceptor::start() {
  if (const auto* accept = std::get_if<Accept>(&request_);
      accept != nullptr && memory_->tentative &&
      memory_->tentative->prepare.ballot == accept->ballot) {
    tentative_ = std::exchange(memory_->tentative, std::nullopt);
  }
  const bool looks =
      std::holds_alternative<Read>(request_) || std::holds_alternative<Prepare>(request_);
  return looks || !memory_->known ? read() : evaluate(false);
}

// `fresh`: what is known was read within this request.
EtcdAcceptor::Output EtcdAcceptor::evaluate(bool fresh) {
  Known next = *memory_->known;
  const auto settle = [&](Verdict verdict) {
    if (!fresh) {
      return read();
    }
    if (maybe_done_ && writes_record(request_) && verdict != Verdict::accepted &&
        verdict != Verdict::two_values) {
      return fault(FaultKind::unreachable,
                   "no answer in time, and others have changed the lock since");
    }
    return answer(verdict, *memory_->known);
  };
  if (const auto* accept = std::get_if<Accept>(&request_)) {
    if (tentative_ && tentative_->record_revision == next.record_revision) {
      const Request prepare = tentative_->prepare;
      if (apply(next.durable, next.soft, {"synced"}, prepare).verdict != Verdict::promise) {
        return settle(Verdict::low);
      }
    } else if (accept->ballot != next.durable.promised && accept->ballot != next.durable.accepted) {
      return settle(Verdict::low);  // a value is taken only on a promise
    }
  }
  const Step step = apply(next.durable, next.soft, {"synced"}, request_);
  if (const auto* prepare = std::get_if<Prepare>(&request_)) {
    if (step.verdict != Verdict::promise) {
      return settle(step.verdict);
    }
    memory_->tentative = EtcdMemory::Tentative{*prepare, next.record_revision};
    return answer(step.verdict, next);
  }
  if (!step.durable_changed && !step.soft_changed) {
    return settle(step.verdict);
  }
  verdict_ = step.verdict;
  Output output{.txn = change(next, step), .lease_seconds = {}, .reply = {}};
  if (const auto* post = std::get_if<Post>(&request_); post != nullptr && !post->remove) {
    const auto ttl = std::chrono::ceil<std::chrono::seconds>(post->ticket.ttl).count();
    output.lease_seconds = std::max<std::int64_t>(1, ttl) * kTicketLeases;
  }
  return output;
}

// The changes from what is known to `next`, if what they rest on is still as it is known.
EtcdTxn EtcdAcceptor::change(const Known& next, const Step& step) const {
  const Known& known = *memory_->known;
  EtcdTxn txn = empty_txn();
  txn.compares.push_back(place_.group);
  const auto revision_in = [](const auto& revisions, const auto& key) {
    const auto at = revisions.find(key);
    return at == revisions.end() ? std::int64_t{0} : at->second;
  };
  if (const auto* post = std::get_if<Post>(&request_)) {
    const std::string& client = post->ticket.claim.client.text;
    const std::string key = ticket_key(client);
    txn.compares.push_back({.key = key, .revision = revision_in(known.ticket_revisions, client)});
    if (post->remove) {
      txn.deletes.push_back(key);
    } else {
      txn.puts.push_back({.key = key, .value = ticket_text(post->ticket)});
    }
    return txn;
  }
  const std::string record_key = place_.prefix + "lock/" + place_.name;
  txn.compares.push_back({.key = record_key, .revision = known.record_revision});
  if (const auto* heartbeat = std::get_if<Heartbeat>(&request_)) {
    const std::string key = beat_key(heartbeat->token);
    txn.compares.push_back(
        {.key = key, .revision = revision_in(known.beat_revisions, heartbeat->token)});
    txn.puts.push_back({.key = key, .value = std::to_string(heartbeat->beat)});
    return txn;
  }
  if (std::holds_alternative<Fast>(request_)) {  // nobody has come to wait since
    const EtcdRange tickets = range_of_prefix(place_.prefix + "wait/" + place_.name + '#');
    txn.compares.push_back({.key = tickets.key, .end = tickets.end, .revision = known.revision});
  }
  if (tentative_ && knows_beats_as_they_are(tentative_->prepare)) {
    const FencingToken victim = tentative_->prepare.victim;
    txn.compares.push_back(
        {.key = beat_key(victim), .revision = revision_in(known.beat_revisions, victim)});
  }
  if (step.durable_changed) {
    txn.puts.push_back({.key = record_key, .value = durable_text(next.durable)});
    // A first heartbeat may have come since what is known was read; no later one can.
    std::set<FencingToken> past;
    for (const auto& [token, revision] : known.beat_revisions) {
      past.insert(token);
    }
    if (known.durable.value) {
      for (const Holder& holder : known.durable.value->holders) {
        past.insert(holder.token);
      }
    }
    for (const FencingToken token : past) {
      if (!next.durable.value || next.durable.value->find(token) == nullptr) {
        txn.deletes.push_back(beat_key(token));
      }
    }
  }
  return txn;
}

EtcdAcceptor::Output EtcdAcceptor::on_outcome(const EtcdOutcome& outcome) {
  if (outcome.cluster != place_.cluster) {
    memory_->known.reset();
    return fault(FaultKind::not_member,
                 "another etcd cluster answers than the one of this group; correct lock_servers");
  }
  const std::optional<Verdict> verdict = std::exchange(verdict_, std::nullopt);
  const bool done = verdict && outcome.succeeded;
  if (outcome.ranges.size() != 4 || outcome.ranges[3].size() != 1 ||
      outcome.ranges[3][0].mod_revision != place_.group.revision) {
    memory_->known.reset();
    return fault(FaultKind::not_member, "its keys were removed, or belong to another group now");
  }
  auto known = learn(outcome);
  if (!known) {
    memory_->known.reset();
    return fault(FaultKind::corrupt, "the keys of lock " + place_.name + " below " + place_.prefix +
                                         " are not what this program writes");
  }
  if (!memory_->known || memory_->known->revision <= known->revision) {
    memory_->known = std::move(known);
  }
  if (done) {
    return answer(*verdict, *memory_->known);
  }
  if (std::holds_alternative<Read>(request_)) {
    return answer(Verdict::state, *memory_->known);
  }
  if (++lost_ > kEtcdLostMax) {
    return fault(FaultKind::busy, "too many clients write this lock at once");
  }
  return evaluate(true);
}

EtcdAcceptor::Output EtcdAcceptor::on_unknown() {
  maybe_done_ = maybe_done_ || std::exchange(verdict_, std::nullopt).has_value();
  return read();
}

std::optional<Known> EtcdAcceptor::learn(const EtcdOutcome& outcome) const {
  Known known{.revision = outcome.revision, .durable = absent_record(place_.where.epoch)};
  if (!outcome.ranges[0].empty()) {
    const EtcdKeyValue& record = outcome.ranges[0].front();
    auto durable = parse_durable(record.value);
    if (!durable || durable->promised.epoch != place_.where.epoch.value) {
      return std::nullopt;
    }
    known.durable = std::move(*durable);
    known.record_revision = record.mod_revision;
  }
  for (const EtcdKeyValue& kv : outcome.ranges[1]) {
    const auto token =
        parse_number(std::string_view(kv.key).substr(kv.key.find('#') + 1), UINT64_MAX);
    const auto beat = parse_number(kv.value, kSmallNumberMax);
    if (!token || !beat) {
      return std::nullopt;
    }
    known.soft.beats[FencingToken{*token}] = static_cast<std::uint32_t>(*beat);
    known.beat_revisions[FencingToken{*token}] = kv.mod_revision;
  }
  for (const EtcdKeyValue& kv : outcome.ranges[2]) {
    auto ticket = parse_ticket(kv.value);
    if (!ticket || kv.key != ticket_key(ticket->claim.client.text)) {
      return std::nullopt;
    }
    known.ticket_revisions[ticket->claim.client.text] = kv.mod_revision;
    known.soft.tickets.push_back(std::move(*ticket));
  }
  std::ranges::sort(known.soft.tickets, senior);
  if (known.soft.tickets.size() > kTicketsPerReplyMax) {
    known.soft.tickets.resize(kTicketsPerReplyMax);
  }
  return known;
}

EtcdTxn EtcdAcceptor::empty_txn() const {
  EtcdTxn txn;
  txn.ranges.push_back({.key = place_.prefix + "lock/" + place_.name});
  for (const char* kind : {"beat/", "wait/"}) {
    EtcdRange range = range_of_prefix(place_.prefix + kind + place_.name + '#');
    range.limit = kKeysMax;
    txn.ranges.push_back(std::move(range));
  }
  txn.ranges.push_back({.key = place_.group.key, .keys_only = true});
  return txn;
}

EtcdAcceptor::Output EtcdAcceptor::read() {
  return Output{.txn = empty_txn(), .lease_seconds = {}, .reply = {}};
}

EtcdAcceptor::Output EtcdAcceptor::answer(Verdict verdict, const Known& known) const {
  return Output{.txn = {},
                .lease_seconds = {},
                .reply = Answer{verdict, state_of(known.durable, known.soft, {"synced"})}};
}

EtcdAcceptor::Output EtcdAcceptor::fault(FaultKind kind, const std::string& text) const {
  return Output{.txn = {}, .lease_seconds = {}, .reply = Fault{kind, place_.server + ": " + text}};
}

std::string EtcdAcceptor::beat_key(FencingToken token) const {
  return place_.prefix + "beat/" + place_.name + '#' + std::to_string(token.value);
}

std::string EtcdAcceptor::ticket_key(const std::string& client) const {
  return place_.prefix + "wait/" + place_.name + '#' + client;
}

}  // namespace dexlock
