// The keys of one lock, and what they say at one revision.
//
//   PREFIXlock/NAME          what survives (wire/durable_text.hpp); no key: never used, or removed
//   PREFIXbeat/NAME#TOKEN    the heartbeat number of one holder, 0 from its grant on
//   PREFIXwait/NAME#CLIENT   a ticket, with a lease of etcd
//   PREFIXmark/NAME          the token counter, where it is above etcd's revision
//   PREFIXpast/NAME#N+       who had the lock, from when (wire/past_hold.hpp); - instead of +:
//   until
//                            when. N: the token modulo kPastHoldsMax
//
// Tokens never repeat, whatever is removed. A record begins without a value, and then counts from
// the revision that made its key (or from the mark), so above all that were granted before: each
// grant is a write, and where one write grants several, or counts on from other lock servers, the
// mark says so.
//
// Threads: pure functions. Hostile input yields nothing, never a guess.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "etcd/service.hpp"
#include "register/acceptor.hpp"
#include "wire/past_hold.hpp"

namespace dexlock {

struct EtcdKeys {
  std::string prefix;
  std::string name;

  [[nodiscard]] std::string record() const { return prefix + "lock/" + name; }
  [[nodiscard]] std::string mark() const { return prefix + "mark/" + name; }
  [[nodiscard]] std::string beat(FencingToken token) const;
  [[nodiscard]] EtcdRange beats() const;
  [[nodiscard]] std::string ticket(const std::string& client) const;
  [[nodiscard]] EtcdRange tickets() const;
  [[nodiscard]] std::string past(FencingToken token, char end) const;
  [[nodiscard]] EtcdRange pasts() const;
};

// True if a prefix has a part by which its keys could be those of a shorter prefix.
[[nodiscard]] bool is_ambiguous_prefix(std::string_view prefix);

struct EtcdSight {
  std::int64_t revision = 0;         // of the whole
  std::int64_t record_revision = 0;  // 0: there is no record
  std::uint64_t mark = 0;            // 0: there is none
  Durable durable;
  Soft soft;
  std::map<FencingToken, std::int64_t> beat_revisions;
  std::map<std::string, std::int64_t> ticket_revisions;  // by client

  // No token up to this one is ever granted.
  [[nodiscard]] std::uint64_t count() const;
  // Of the heartbeats. Another one while a key of theirs is missing: somebody has removed it, and
  // what it said is lost. Whoever makes it anew writes the record anew, too, so that the next loss
  // is known for another.
  [[nodiscard]] BootId boot() const;
  // The record was removed while somebody held the lock.
  [[nodiscard]] bool is_orphaned() const { return record_revision == 0 && !beat_revisions.empty(); }
};

// What a record begins with.
[[nodiscard]] Record record_made(std::uint64_t count);

// [PREFIX, the end of all keys that begin with it)
[[nodiscard]] EtcdRange range_of_prefix(std::string prefix);

// All that a sight needs, for the ranges of a transaction.
[[nodiscard]] std::vector<EtcdRange> sight_ranges(const EtcdKeys& keys);

// From what these ranges have shown. Nothing: it is not what this program writes.
[[nodiscard]] std::optional<EtcdSight> sight_of(const EtcdKeys& keys, Epoch epoch,
                                                const EtcdOutcome& outcome);

// The tickets among `kvs`, senior first, and the revision of each.
void learn_tickets(const EtcdKeys& keys, const std::vector<EtcdKeyValue>& kvs, EtcdSight& sight);

// The holds that `kvs` of EtcdKeys::pasts() tell of, the newest first, at most kPastHoldsMax.
[[nodiscard]] std::vector<PastHold> past_holds_of(const std::vector<EtcdKeyValue>& kvs);

// Nothing is lost with the record but where its tokens go on.
[[nodiscard]] bool is_idle(const Durable& durable);

}  // namespace dexlock
