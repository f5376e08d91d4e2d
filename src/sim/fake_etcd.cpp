#include "sim/fake_etcd.hpp"

#include <algorithm>
#include <utility>

#include "etcd/etcd_group.hpp"
#include "sim/draw.hpp"
#include "wire/durable_text.hpp"

namespace dexlock::sim {
namespace {

const std::string kGroupKey = std::string(kEtcdPrefix) + "group";

}  // namespace

FakeEtcd::FakeEtcd(Surroundings& around) : around_(around), effects_(around) {
  const EtcdGroup group{.incarnation = "simulated",
                        .cluster = cluster_text(kEtcdClusterId),
                        .group = Group{"group", Epoch{1}, {"simulated"}},
                        .active = true};
  ++keys_.revision;
  keys_.kept[kGroupKey] = Kept{etcd_group_text(group), keys_.revision, keys_.revision};
}

EtcdCompare FakeEtcd::group() const {
  return {.key = kGroupKey, .revision = keys_.kept.at(kGroupKey).mod_revision};
}

std::int64_t FakeEtcd::record_revision() const {
  const auto at = keys_.kept.find(etcd_keys().record());
  return at == keys_.kept.end() ? 0 : at->second.mod_revision;
}

bool FakeEtcd::holds(const EtcdCompare& compare) const {
  if (compare.present) {
    return keys_.kept.contains(compare.key);
  }
  if (compare.end.empty()) {
    const auto at = keys_.kept.find(compare.key);
    return (at == keys_.kept.end() ? 0 : at->second.mod_revision) == compare.revision;
  }
  const auto end = keys_.kept.lower_bound(compare.end);
  return std::none_of(keys_.kept.lower_bound(compare.key), end, [&](const auto& kept) {
    return kept.second.mod_revision > compare.revision;
  });
}

std::vector<EtcdKeyValue> FakeEtcd::look(const EtcdRange& range) const {
  std::vector<EtcdKeyValue> found;
  const auto end =
      range.end.empty() ? keys_.kept.upper_bound(range.key) : keys_.kept.lower_bound(range.end);
  for (auto at = keys_.kept.lower_bound(range.key); at != end; ++at) {
    if (range.limit > 0 && found.size() == static_cast<std::size_t>(range.limit)) {
      break;
    }
    const bool forgets = around_.planted(Plant::etcd_count_begins_anew);
    found.push_back({.key = at->first,
                     .value = range.keys_only ? "" : at->second.value,
                     .mod_revision = at->second.mod_revision,
                     .create_revision = forgets ? 1 : at->second.create_revision});
  }
  return found;
}

std::vector<std::string> FakeEtcd::keys_in(const std::string& key, const std::string& end) const {
  std::vector<std::string> keys;
  const auto last = end.empty() ? keys_.kept.upper_bound(key) : keys_.kept.lower_bound(end);
  for (auto at = keys_.kept.lower_bound(key); at != last; ++at) {
    keys.push_back(at->first);
  }
  return keys;
}

// True if there was anything.
bool FakeEtcd::remove(const std::string& key, const std::string& end) {
  const auto keys = keys_in(key, end);
  for (const std::string& each : keys) {
    effects_.on_removed(each, keys_.kept.at(each).value);
    keys_.kept.erase(each);
  }
  return !keys.empty();
}

std::optional<EtcdOutcome> FakeEtcd::transact(const EtcdTxn& txn) {
  end_leases();
  EtcdOutcome outcome{.succeeded = std::ranges::all_of(
                          txn.compares, [this](const EtcdCompare& one) { return holds(one); }),
                      .cluster = kEtcdClusterId};
  if (outcome.succeeded) {
    for (const EtcdPut& put : txn.puts) {
      if (put.lease != 0 && !keys_.leases.contains(put.lease)) {
        return std::nullopt;
      }
    }
    const std::int64_t next = keys_.revision + 1;
    for (const EtcdPut& put : txn.puts) {
      Kept& kept = keys_.kept[put.key];
      effects_.on_put(put.key, kept.value, put.value, next);
      const bool is_new = kept.create_revision == 0;
      kept = Kept{put.value, next, is_new ? next : kept.create_revision, put.lease};
      keys_.revision = next;
    }
    for (const EtcdDelete& each : txn.deletes) {
      keys_.revision = remove(each.key, each.end) ? next : keys_.revision;
    }
  }
  outcome.revision = keys_.revision;
  const bool same = outcome.succeeded || txn.else_ranges.empty();
  for (const EtcdRange& range : same ? txn.ranges : txn.else_ranges) {
    outcome.ranges.push_back(look(range));
  }
  return outcome;
}

// A lease never ends too early by the leader's clock, and may be noticed late.
Nanoseconds FakeEtcd::end_of(std::int64_t length) {
  const Nanoseconds counted = std::chrono::seconds(length);
  return around_.now() + counted / 1'000'000 * rate_ +
         between(around_.random, Nanoseconds(0), std::chrono::seconds(1));
}

std::int64_t FakeEtcd::grant(std::int64_t id, std::int64_t length) {
  end_leases();
  const std::int64_t lease = id == 0 ? ++leases_ : id;
  keys_.leases.try_emplace(lease, Lease{length, end_of(length)});
  return lease;
}

void FakeEtcd::on_new_leader() {
  constexpr std::uint32_t kSlowest = 700'000;
  constexpr std::uint32_t kFastest = 1'500'000;
  rate_ = between(around_.random, kSlowest, kFastest);
  for (auto& [id, lease] : keys_.leases) {
    lease.ends = end_of(lease.length);
  }
}

void FakeEtcd::end_leases() {
  for (auto at = keys_.leases.begin(); at != keys_.leases.end();) {
    if (at->second.ends > around_.now()) {
      ++at;
      continue;
    }
    std::vector<std::string> over;
    for (const auto& [key, kept] : keys_.kept) {
      if (kept.lease == at->first) {
        over.push_back(key);
      }
    }
    keys_.revision += over.empty() ? 0 : 1;
    for (const std::string& key : over) {
      around_.counts.add(Seen::etcd_keys_expired);
      remove(key);
    }
    at = keys_.leases.erase(at);
  }
}

void FakeEtcd::restore() {
  restored_ = true;
  keys_ = *snapshot_;
}

bool FakeEtcd::lacks_heartbeats() const {
  const auto record = keys_.kept.find(etcd_keys().record());
  const auto durable =
      record == keys_.kept.end() ? std::nullopt : parse_durable(record->second.value);
  const EtcdRange beats = etcd_keys().beats();
  return durable && durable->value && !durable->value->is_free() &&
         look(beats).size() < durable->value->holders.size();
}

void FakeEtcd::remove_record() { keys_.revision += remove(etcd_keys().record()) ? 1 : 0; }

void FakeEtcd::remove_beats() {
  const EtcdRange beats = etcd_keys().beats();
  keys_.revision += remove(beats.key, beats.end) ? 1 : 0;
}

}  // namespace dexlock::sim
