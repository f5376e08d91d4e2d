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

// False: it is not what this program writes.
bool learn_beat(const EtcdKeyValue& kv, EtcdSight& sight) {
  const auto beat = parse_beat(kv.value);
  const auto slot = parse_number(behind_hash(kv.key), kSmallNumberMax);
  if (!beat || !slot) {
    return false;
  }
  if (beat->granted) {
    sight.granted[beat->token] = *beat->granted;
  }
  if (beat->beat > 0) {
    sight.soft.beats[beat->token] = beat->beat;
  }
  sight.beat_keys[beat->token] = {kv.mod_revision, *slot};
  return true;
}

}  // namespace

EtcdRange range_of_prefix(std::string prefix) {
  EtcdRange range{.key = prefix, .end = std::move(prefix)};
  ++range.end.back();  // a prefix ends with a separator of ours
  return range;
}

std::string EtcdKeys::beat(std::uint64_t slot) const {
  return prefix + "beat/" + name + '#' + std::to_string(slot);
}

EtcdRange EtcdKeys::beats() const { return range_of_prefix(prefix + "beat/" + name + '#'); }

std::string EtcdKeys::ticket(const std::string& client) const {
  return prefix + "wait/" + name + '#' + client;
}

EtcdRange EtcdKeys::tickets() const { return range_of_prefix(prefix + "wait/" + name + '#'); }

std::string EtcdKeys::past(FencingToken token) const {
  return prefix + "past/" + name + '#' + std::to_string(token.value % kPastHoldsMax);
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

std::uint64_t EtcdSight::free_slot() const {
  std::uint64_t slot = 0;
  while (std::ranges::any_of(beat_keys, [&](const auto& one) { return one.second.slot == slot; })) {
    ++slot;
  }
  return slot;
}

bool EtcdSight::has_all_slots() const {
  return std::ranges::all_of(beat_keys,
                             [](const auto& one) { return one.second.slot.has_value(); });
}

std::optional<std::chrono::milliseconds> EtcdSight::granted_at(FencingToken token) const {
  const auto at = granted.find(token);
  return at == granted.end() ? std::nullopt : std::optional(at->second);
}

std::uint64_t EtcdSight::count() const {
  if (durable.value) {
    return durable.value->count;
  }
  return std::max(static_cast<std::uint64_t>(revision), mark);
}

BootId EtcdSight::boot() const {
  const auto is_missing = [&](const Holder& holder) { return !beat_keys.contains(holder.token); };
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
  sight.tickets_revision = sight.revision;
  for (const EtcdKeyValue& kv : kvs) {
    sight.ticket_revisions[behind_hash(kv.key)] = kv.mod_revision;
    auto ticket = parse_ticket(kv.value);  // what cannot be read waits for nothing
    if (ticket && kv.key == keys.ticket(ticket->claim.client.text)) {
      sight.soft.tickets.push_back(std::move(*ticket));
    }
  }
  std::ranges::sort(sight.soft.tickets, senior);
}

std::string beat_text(FencingToken token, std::uint32_t beat,
                      std::optional<std::chrono::milliseconds> granted) {
  return std::to_string(token.value) + ' ' + std::to_string(beat) + ' ' +
         (granted ? std::to_string(granted->count()) : "-");
}

std::optional<EtcdBeat> parse_beat(std::string_view text) {
  const auto part = [&] {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view found = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return found;
  };
  const auto token = parse_number(part(), UINT64_MAX);
  const auto beat = parse_number(part(), kSmallNumberMax);
  const std::string_view when = part();
  const auto granted = parse_number(when, INT64_MAX);
  if (!token || !beat || (!granted && when != "-") || !text.empty()) {
    return std::nullopt;
  }
  return EtcdBeat{FencingToken{*token}, static_cast<std::uint32_t>(*beat),
                  granted ? std::optional(std::chrono::milliseconds(*granted)) : std::nullopt};
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
    if (!learn_beat(kv, sight)) {
      return std::nullopt;
    }
  }
  learn_tickets(keys, outcome.ranges[2], sight);
  return sight;
}

std::vector<EtcdRange> past_ranges(const EtcdKeys& keys) {
  return {keys.pasts(), {.key = keys.record()}, keys.beats()};
}

std::vector<PastHold> past_holds_of(const EtcdOutcome& outcome) {
  std::map<FencingToken, PastHold, std::greater<>> by_token;
  for (const EtcdKeyValue& kv : outcome.ranges[0]) {
    if (const auto hold = parse_past_hold(kv.value)) {
      by_token.try_emplace(hold->token, *hold);
    }
  }
  EtcdSight seen;
  std::ranges::for_each(outcome.ranges[2], [&](const auto& kv) { learn_beat(kv, seen); });
  const auto durable =
      outcome.ranges[1].empty() ? std::nullopt : parse_durable(outcome.ranges[1].front().value);
  if (durable && durable->value) {
    for (const Holder& holder : durable->value->holders) {
      by_token[holder.token] = {.token = holder.token,
                                .from = seen.granted_at(holder.token),
                                .to = {},
                                .state = HoldState::holding,
                                .who = holder.who};
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
