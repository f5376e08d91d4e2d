#include "sim/etcd_effects.hpp"

#include <algorithm>

#include "lock/fields.hpp"
#include "lock/invariant.hpp"
#include "lock/ticket.hpp"
#include "sim/fake_etcd.hpp"
#include "wire/durable_text.hpp"

namespace dexlock::sim {
namespace {

// The rest of `key` behind the prefix and the kind of key.
std::optional<std::string_view> behind(std::string_view key, const char* kind) {
  const std::string front = std::string(kEtcdPrefix) + kind + '/' + kEtcdLock;
  return key.starts_with(front) ? std::optional(key.substr(front.size())) : std::nullopt;
}

}  // namespace

void EtcdEffects::on_put(std::string_view key, const std::string& before, const std::string& value,
                         std::int64_t revision) {
  if (behind(key, "lock")) {
    on_record(before, value, revision);
  } else if (behind(key, "mark")) {
    mark_ = parse_number(value, UINT64_MAX).value_or(0);
  } else if (behind(key, "beat")) {
    on_beat(value);
  } else if (behind(key, "wait")) {
    on_ticket(value, false);
  }
}

void EtcdEffects::on_removed(std::string_view key, const std::string& value) {
  if (behind(key, "wait")) {
    on_ticket(value, true);
  } else if (behind(key, "mark")) {
    mark_ = 0;
  }
}

// A record counts from the revision that made it, or from the mark.
void EtcdEffects::on_made(std::int64_t revision) {
  const Record first = record_made(std::max(static_cast<std::uint64_t>(revision), mark_));
  around_.counts.add(Seen::etcd_records_made);
  around_.registers.on_made(first, around_.now());
  around_.linearizable.on_made(value_, first, around_.now());
  value_ = first;
}

void EtcdEffects::on_record(const std::string& before, const std::string& text,
                            std::int64_t revision) {
  const auto durable = parse_durable(text);
  INVARIANT(durable);
  const Nanoseconds now = around_.now();
  const auto old = parse_durable(before);
  if (!old) {
    on_made(revision);
  }
  around_.registers.on_durable(0, *durable, now);
  if (!durable->value || (old && old->accepted == durable->accepted)) {
    return;
  }
  const Record& value = *durable->value;
  const bool fast = durable->accepted.fast != 0;
  around_.counts.add(fast ? Seen::fast_votes : Seen::accepts);
  if (fast) {
    around_.linearizable.on_fast_vote(durable->accepted, value.op, value_, value);
  }
  around_.evictions.on_base(durable->accepted, value_);
  around_.queue.on_vote(value, now);
  if (around_.registers.on_vote(0, durable->accepted, value, now)) {
    around_.counts.add(Seen::fast_chosen, fast ? 1 : 0);
    around_.evictions.on_chosen(durable->accepted, value, now);
    around_.queue.on_chosen(value, now);
  }
  value_ = value;
}

void EtcdEffects::on_beat(std::string_view text) {
  const auto beat = parse_beat(text);
  INVARIANT(beat);
  if (beat->beat == 0) {
    return;  // written with the grant
  }
  around_.counts.add(Seen::beats_taken);
  around_.evictions.on_beat_acknowledged(0, beat->token, beat->beat, around_.now());
}

void EtcdEffects::on_ticket(const std::string& text, bool removed) {
  const auto ticket = parse_ticket(text);
  INVARIANT(ticket);
  around_.queue.on_posted(0, *ticket, removed, around_.now());
}

}  // namespace dexlock::sim
