// An etcd in memory that does what it is told to do wrong: for tests of what asks it.
//
// Threads: one; answers are handed out inside the calls, or by hold() later.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "etcd/service.hpp"

namespace dexlock::testing {

class FakeEtcd {
 public:
  using Kind = EtcdTrouble::Kind;
  struct Entry {
    std::string value;
    std::int64_t created = 0;
    std::int64_t modified = 0;
    std::int64_t lease = 0;
  };
  struct Asked {
    std::size_t endpoint = 0;
    EtcdTxn txn;
  };
  class Stream;

  std::map<std::string, Entry> keys;
  std::int64_t revision = 1;
  std::set<std::int64_t> leases;
  std::map<std::size_t, std::uint64_t> clusters;              // of endpoints; the others are of 7
  std::map<std::size_t, Kind> troubles;                       // of endpoints
  std::function<std::optional<Kind>(const EtcdTxn&)> refuse;  // before it has an effect
  std::function<void(EtcdOutcome&)> spoil;
  std::vector<Asked> asked;
  std::string version = "3.4.23";
  std::size_t sign_ins = 0;
  std::size_t grants = 0;
  bool holds = false;  // answers are kept
  std::deque<std::function<void()>> held;
  std::vector<Stream*> streams;  // open ones
  std::size_t streams_opened = 0;

  [[nodiscard]] std::uint64_t cluster_at(std::size_t endpoint) const {
    const auto at = clusters.find(endpoint);
    return at == clusters.end() ? 7 : at->second;
  }

  // How many transactions have put a key that begins so.
  [[nodiscard]] std::size_t puts(const std::string& prefix) const {
    return static_cast<std::size_t>(std::ranges::count_if(asked, [&](const Asked& one) {
      return std::ranges::any_of(one.txn.puts,
                                 [&](const EtcdPut& put) { return put.key.starts_with(prefix); });
    }));
  }

  void put(const std::string& key, const std::string& value) {
    ++revision;
    Entry& entry = keys[key];
    entry.created = entry.created == 0 ? revision : entry.created;
    entry.modified = revision;
    entry.value = value;
  }

  std::expected<EtcdOutcome, EtcdTrouble> run(std::size_t endpoint, const EtcdTxn& txn);
  [[nodiscard]] std::unique_ptr<EtcdService> service();

 private:
  [[nodiscard]] bool holds_true(const EtcdCompare& compare) const;
};

class FakeEtcd::Stream final : public EtcdStream {
 public:
  Stream(FakeEtcd& etcd, std::size_t at, std::function<void(EtcdNews)> told)
      : endpoint(at), handler(std::move(told)), etcd_(etcd) {
    etcd_.streams.push_back(this);
    ++etcd_.streams_opened;
  }
  ~Stream() override { std::erase(etcd_.streams, this); }
  void watch(std::int64_t id, const std::string& key, std::int64_t from) override {
    watched[key] = id;
    handler({EtcdNews::Kind::watching, id});
    if (const auto at = etcd_.keys.find(key);
        from != 0 && at != etcd_.keys.end() && at->second.modified >= from) {
      tell(EtcdNews::Kind::changed, key);
    }
  }
  void unwatch(std::int64_t id) override {
    std::erase_if(watched, [id](const auto& one) { return one.second == id; });
  }
  void tell(EtcdNews::Kind kind, const std::string& key) {
    const auto at = etcd_.keys.find(key);
    const FakeEtcd::Entry entry = at == etcd_.keys.end() ? FakeEtcd::Entry() : at->second;
    handler({kind, watched.at(key), entry.value, entry.modified, etcd_.cluster_at(endpoint)});
  }

  std::size_t endpoint;
  std::function<void(EtcdNews)> handler;
  std::map<std::string, std::int64_t> watched;

 private:
  FakeEtcd& etcd_;
};

inline bool FakeEtcd::holds_true(const EtcdCompare& compare) const {
  if (compare.present) {
    return keys.contains(compare.key);
  }
  if (compare.end.empty()) {
    const auto at = keys.find(compare.key);
    return (at == keys.end() ? 0 : at->second.modified) == compare.revision;
  }
  return std::all_of(keys.lower_bound(compare.key), keys.lower_bound(compare.end),
                     [&](const auto& one) { return one.second.modified <= compare.revision; });
}

inline std::expected<EtcdOutcome, EtcdTrouble> FakeEtcd::run(std::size_t endpoint,
                                                             const EtcdTxn& txn) {
  asked.push_back({endpoint, txn});
  if (const auto at = troubles.find(endpoint); at != troubles.end()) {
    return std::unexpected(EtcdTrouble{at->second, "told so"});
  }
  if (const auto kind = refuse ? refuse(txn) : std::nullopt) {
    return std::unexpected(EtcdTrouble{*kind, "told so"});
  }
  EtcdOutcome outcome{.succeeded = std::ranges::all_of(
                          txn.compares, [&](const auto& one) { return holds_true(one); }),
                      .cluster = cluster_at(endpoint)};
  if (outcome.succeeded && !txn.reads()) {
    for (const EtcdPut& put : txn.puts) {
      if (put.lease != 0 && !leases.contains(put.lease)) {
        return std::unexpected(EtcdTrouble{Kind::no_lease, "requested lease not found"});
      }
    }
    ++revision;
    for (const EtcdPut& put : txn.puts) {
      Entry& entry = keys[put.key];
      entry = {put.value, entry.created == 0 ? revision : entry.created, revision, put.lease};
    }
    for (const EtcdDelete& one : txn.deletes) {
      keys.erase(keys.lower_bound(one.key),
                 one.end.empty() ? keys.upper_bound(one.key) : keys.lower_bound(one.end));
    }
  }
  const bool same = outcome.succeeded || txn.else_ranges.empty();
  for (const EtcdRange& range : same ? txn.ranges : txn.else_ranges) {
    auto& kvs = outcome.ranges.emplace_back();
    const auto end = range.end.empty() ? keys.upper_bound(range.key) : keys.lower_bound(range.end);
    for (auto at = keys.lower_bound(range.key); at != end; ++at) {
      if (range.limit == 0 || kvs.size() < static_cast<std::size_t>(range.limit)) {
        kvs.push_back({at->first, at->second.value, at->second.modified, at->second.created});
      }
    }
  }
  outcome.revision = revision;
  if (spoil) {
    spoil(outcome);
  }
  return outcome;
}

class FakeEtcdService final : public EtcdService {
 public:
  explicit FakeEtcdService(FakeEtcd& etcd) : etcd_(etcd) {}

  void transact(std::size_t endpoint, const EtcdTxn& txn, std::chrono::milliseconds,
                EtcdHandler<EtcdOutcome> handler) override {
    hand_out(
        [handler = std::move(handler), outcome = etcd_.run(endpoint, txn)] { handler(outcome); });
  }
  void grant(std::size_t endpoint, std::int64_t id, std::int64_t, std::chrono::milliseconds,
             EtcdHandler<std::int64_t> handler) override {
    ++etcd_.grants;
    if (const auto at = etcd_.troubles.find(endpoint); at != etcd_.troubles.end()) {
      handler(std::unexpected(EtcdTrouble{at->second, "told so"}));
      return;
    }
    const std::int64_t lease = id != 0 ? id : static_cast<std::int64_t>(etcd_.grants);
    etcd_.leases.insert(lease);
    handler(lease);
  }
  void sign_in(std::size_t, const std::string&, const std::string&, std::chrono::milliseconds,
               EtcdHandler<bool> handler) override {
    ++etcd_.sign_ins;
    handler(true);
  }
  void status(std::size_t endpoint, std::chrono::milliseconds,
              EtcdHandler<EtcdStatus> handler) override {
    if (const auto at = etcd_.troubles.find(endpoint); at != etcd_.troubles.end()) {
      handler(std::unexpected(EtcdTrouble{at->second, "told so"}));
    } else {
      handler(EtcdStatus{.version = etcd_.version,
                         .bytes = 4096,
                         .alarms = {},
                         .cluster = etcd_.cluster_at(endpoint)});
    }
  }
  std::unique_ptr<EtcdStream> open_stream(std::size_t endpoint,
                                          std::function<void(EtcdNews)> handler) override {
    return std::make_unique<FakeEtcd::Stream>(etcd_, endpoint, std::move(handler));
  }

 private:
  void hand_out(std::function<void()> what) {
    if (etcd_.holds) {
      etcd_.held.push_back(std::move(what));
    } else {
      what();
    }
  }

  FakeEtcd& etcd_;
};

inline std::unique_ptr<EtcdService> FakeEtcd::service() {
  return std::make_unique<FakeEtcdService>(*this);
}

}  // namespace dexlock::testing
