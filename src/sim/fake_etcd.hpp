// An etcd cluster as its clients see it: one linearizable store of keys with revisions,
// transactions that compare them, and leases that end by a clock of its own. What every change
// means to the lock goes to the judges here, where its moment is known.
//
// Invariants:  revisions rise, unless it is restored from a snapshot.
// Threads:     none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "etcd/etcd_sight.hpp"
#include "etcd/service.hpp"
#include "sim/etcd_effects.hpp"
#include "sim/surroundings.hpp"

namespace dexlock::sim {

inline constexpr const char* kEtcdPrefix = "/sim/";
inline constexpr const char* kEtcdLock = "job";
inline constexpr std::uint64_t kEtcdClusterId = 17;

[[nodiscard]] inline EtcdKeys etcd_keys() { return {kEtcdPrefix, kEtcdLock}; }

class FakeEtcd {
 public:
  explicit FakeEtcd(Surroundings& around);

  // Nothing if it puts a key under a lease that has ended; then nothing is done.
  [[nodiscard]] std::optional<EtcdOutcome> transact(const EtcdTxn& txn);

  // The lease `id`, which may be there already; 0: a new one.
  [[nodiscard]] std::int64_t grant(std::int64_t id, std::int64_t length);

  // Another leader counts all leases from the beginning, by its own clock.
  void on_new_leader();

  // What a backup holds from now on, and going back to it. Requires: kept before.
  void keep_snapshot() { snapshot_ = keys_; }
  void restore();
  [[nodiscard]] bool has_snapshot() const { return snapshot_.has_value(); }
  [[nodiscard]] bool restored() const { return restored_; }

  [[nodiscard]] std::int64_t revision() const { return keys_.revision; }
  [[nodiscard]] EtcdCompare group() const;
  [[nodiscard]] std::int64_t record_revision() const;  // 0: there is none

  // They were removed, and no holder has made its own anew.
  [[nodiscard]] bool lacks_heartbeats() const;
  // By an operator: the record; and what is left of its holders.
  void remove_record();
  void remove_beats();

 private:
  struct Kept {
    std::string value;
    std::int64_t mod_revision = 0;
    std::int64_t create_revision = 0;
    std::int64_t lease = 0;
  };
  struct Lease {
    std::int64_t length = 0;  // seconds
    Nanoseconds ends{};
  };
  struct Keys {
    std::map<std::string, Kept> kept;
    std::map<std::int64_t, Lease> leases;
    std::int64_t revision = 1;
  };

  [[nodiscard]] bool holds(const EtcdCompare& compare) const;
  [[nodiscard]] std::vector<EtcdKeyValue> look(const EtcdRange& range) const;
  [[nodiscard]] Nanoseconds end_of(std::int64_t length);
  [[nodiscard]] std::vector<std::string> keys_in(const std::string& key,
                                                 const std::string& end) const;
  bool remove(const std::string& key, const std::string& end = {});
  void end_leases();

  Surroundings& around_;
  EtcdEffects effects_;
  Keys keys_;
  std::optional<Keys> snapshot_;
  bool restored_ = false;
  std::uint32_t rate_ = 1'000'000;  // of the leader's clock
  std::int64_t leases_ = 0;         // whose id was chosen here
};

}  // namespace dexlock::sim
