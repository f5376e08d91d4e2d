// What a client host does wrong with an etcd cluster when an error is planted in it.
#include <algorithm>
#include <utility>

#include "sim/etcd_cluster.hpp"

namespace dexlock::sim {
namespace {

bool is_kind(const std::string& key, const char* kind) {
  return key.starts_with(std::string(kEtcdPrefix) + kind + '/');
}

bool writes(const EtcdTxn& txn, const char* kind) {
  return std::ranges::any_of(txn.puts, [&](const EtcdPut& put) { return is_kind(put.key, kind); });
}

void forget(EtcdTxn& txn, const char* kind) {
  std::erase_if(txn.compares, [&](const EtcdCompare& one) { return is_kind(one.key, kind); });
}

EtcdTxn only_reading(EtcdTxn txn) {
  txn.compares.clear();
  txn.puts.clear();
  txn.deletes.clear();
  return txn;
}

}  // namespace

EtcdTxn EtcdHost::spoilt(const EtcdTxn& txn) const {
  EtcdTxn bad = txn;
  const bool is_beat = writes(txn, "beat") && !writes(txn, "lock");
  if (around_.planted(Plant::etcd_beat_unguarded) && is_beat) {
    forget(bad, "lock");
    forget(bad, "beat");
  } else if (around_.planted(Plant::etcd_beat_goes_back) && is_beat) {
    forget(bad, "beat");
  } else if (around_.planted(Plant::etcd_evict_unguarded) && writes(txn, "lock")) {
    forget(bad, "beat");
  } else if (around_.planted(Plant::etcd_record_unguarded) && writes(txn, "lock")) {
    forget(bad, "lock");
  } else if (around_.planted(Plant::etcd_fast_unguarded) && writes(txn, "lock")) {
    forget(bad, "wait");
  }
  return bad;
}

void EtcdHost::transact_wrongly(const WorkPtr& work, const EtcdTxn& txn, OutcomeHandler handler) {
  const bool takes_for_done = around_.planted(Plant::etcd_lost_taken_for_done);
  if ((!takes_for_done && !around_.planted(Plant::etcd_sent_again)) || txn.reads()) {
    call(work, spoilt(txn), std::move(handler));
    return;
  }
  EtcdTxn again = takes_for_done ? only_reading(txn) : txn;
  again.compares.clear();
  call(work, txn, [this, work, again, handler = std::move(handler)](const Outcome& outcome) {
    if (outcome || outcome.error().kind != EtcdTrouble::Kind::unknown) {
      handler(outcome);
    } else {
      call(work, again, handler);
    }
  });
}

}  // namespace dexlock::sim
