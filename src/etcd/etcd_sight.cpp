#include "etcd/etcd_sight.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "lock/change.hpp"
#include "lock/fields.hpp"
#include "wire/durable_text.hpp"

namespace dexlock {
namespace {

// More is not ours: one lock has kHoldersMax holders, and keeps kTicketsPerReplyMax tickets.
constexpr std::int64_t kKeysMax = 256;

std::string behind_hash(const std::string& key) { return key.substr(key.find('#') + 1); }

}  // namespace

EtcdRange range_of_prefix(std::string prefix) {
  EtcdRange range{.key = prefix, .end = std::move(prefix)};
  ++range.end.back();  // a prefix ends with a separator of ours
  return range;
}

std::string EtcdKeys::beat(FencingToken token) const {
  return prefix + "beat/" + name + '#' + std::to_string(token.value);
}

EtcdRange EtcdKeys::beats() const { return range_of_prefix(prefix + "beat/" + name + '#'); }

std::string EtcdKeys::ticket(const std::string& client) const {
  return prefix + "wait/" + name + '#' + client;
}

EtcdRange EtcdKeys::tickets() const { return range_of_prefix(prefix + "wait/" + name + '#'); }

std::string EtcdKeys::past(FencingToken token, char end) const {
  return prefix + "past/" + name + '#' + std::to_string(token.value % kPastHoldsMax) + end;
}

EtcdRange EtcdKeys::pasts() const {
  EtcdRange range = range_of_prefix(prefix + "past/" + name + '#');
  range.limit = kKeysMax;
  return range;
}

bool is_ambiguous_prefix(std::string_view prefix) {
  constexpr std::array<std::string_view, 5> kParts{"lock", "beat", "wait", "mark", "past"};
  return std::ranges::any_of(kParts, [&](std::string_view part) {
    return prefix.contains('/' + std::string(part) + '/');
  });
}

// With an operation, so that it has a text: those who wait are granted the lock on it.
Record record_made(std::uint64_t count) {
  return {.count = std::min(count, kTokenCountMax), .op = {"made"}};
}

std::uint64_t EtcdSight::count() const {
  if (durable.value) {
    return durable.value->count;
  }
  return std::max(static_cast<std::uint64_t>(revision), mark);
}

BootId EtcdSight::boot() const {
  const auto is_missing = [&](const Holder& holder) {
    return !beat_revisions.contains(holder.token);
  };
  const bool lost = durable.value && std::ranges::any_of(durable.value->holders, is_missing);
  return {lost ? "lost" + std::to_string(record_revision) : "synced"};
}

std::vector<EtcdRange> sight_ranges(const EtcdKeys& keys) {
  std::vector<EtcdRange> ranges{
      {.key = keys.record()}, keys.beats(), keys.tickets(), {.key = keys.mark()}};
  ranges[1].limit = kKeysMax;
  ranges[2].limit = kKeysMax;
  return ranges;
}

void learn_tickets(const EtcdKeys& keys, const std::vector<EtcdKeyValue>& kvs, EtcdSight& sight) {
  sight.soft.tickets.clear();
  sight.ticket_revisions.clear();
  for (const EtcdKeyValue& kv : kvs) {
    sight.ticket_revisions[behind_hash(kv.key)] = kv.mod_revision;
    auto ticket = parse_ticket(kv.value);  // what cannot be read waits for nothing
    if (ticket && kv.key == keys.ticket(ticket->claim.client.text)) {
      sight.soft.tickets.push_back(std::move(*ticket));
    }
  }
  std::ranges::sort(sight.soft.tickets, senior);
}

std::optional<EtcdSight> sight_of(const EtcdKeys& keys, Epoch epoch, const EtcdOutcome& outcome) {
  EtcdSight sight{.revision = outcome.revision, .durable = absent_record(epoch), .soft = {}};
  if (!outcome.ranges[3].empty()) {
    const auto mark = parse_number(outcome.ranges[3].front().value, kTokenCountMax);
    if (!mark) {
      return std::nullopt;
    }
    sight.mark = *mark;
  }
  if (!outcome.ranges[0].empty()) {
    const EtcdKeyValue& record = outcome.ranges[0].front();
    auto durable = parse_durable(record.value);
    if (!durable || durable->promised.epoch != epoch.value || record.create_revision <= 0) {
      return std::nullopt;
    }
    sight.durable = std::move(*durable);
    sight.record_revision = record.mod_revision;
    if (!sight.durable.value) {
      const auto made = static_cast<std::uint64_t>(record.create_revision);
      sight.durable.value = record_made(std::max(made, sight.mark));
    }
  }
  for (const EtcdKeyValue& kv : outcome.ranges[1]) {
    const auto token = parse_number(behind_hash(kv.key), UINT64_MAX);
    const auto beat = parse_number(kv.value, kSmallNumberMax);
    if (!token || !beat) {
      return std::nullopt;
    }
    if (*beat > 0) {
      sight.soft.beats[FencingToken{*token}] = static_cast<std::uint32_t>(*beat);
    }
    sight.beat_revisions[FencingToken{*token}] = kv.mod_revision;
  }
  learn_tickets(keys, outcome.ranges[2], sight);
  return sight;
}

std::vector<PastHold> past_holds_of(const std::vector<EtcdKeyValue>& kvs) {
  std::map<FencingToken, PastHold, std::greater<>> by_token;
  for (const EtcdKeyValue& kv : kvs) {
    auto hold = parse_past_hold(kv.value);
    if (!hold) {
      continue;
    }
    const auto [at, is_new] = by_token.try_emplace(hold->token, *hold);
    if (!is_new) {
      PastHold& known = at->second;
      known.from = known.from ? known.from : hold->from;
      if (hold->to) {
        known.to = hold->to;
        known.state = hold->state;
      }
    }
  }
  std::vector<PastHold> holds;
  for (auto& [_, hold] : by_token) {
    if (holds.size() < kPastHoldsMax) {
      holds.push_back(std::move(hold));
    }
  }
  return holds;
}

bool is_idle(const Durable& durable) {
  if (!durable.value) {
    return true;
  }
  const Record& record = *durable.value;
  return record.is_free() && record.gate.state == GateState::open && record.note.empty() &&
         record.data.empty() && record.data_token.value == 0 && record.later_fields.empty() &&
         record.version == kRecordVersion && !is_unfenced(record.last);
}

}  // namespace dexlock
