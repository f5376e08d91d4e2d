// The keys of one lock, and what they say at one revision.
//
//   PREFIXlock/NAME          what survives (wire/durable_text.hpp); no key: never used, or removed
//   PREFIXbeat/NAME#SLOT     one holder's token, its heartbeat number, 0 from its grant on, and
//   when
//                            that was, for people. SLOT: the lowest that was free; numbers that
//                            only rise would leave etcd a trace of each until it is compacted
//   PREFIXwait/NAME#CLIENT   a ticket, with a lease of etcd
//   PREFIXmark/NAME          the token counter, where it is above etcd's revision
//   PREFIXpast/NAME#N        who had the lock, from when until when (wire/past_hold.hpp). N: the
//                            token modulo kPastHoldsMax
//
// Tokens never repeat, whatever is removed. A record begins without a value, and then counts from
// the revision that made its key (or from the mark), so above all that were granted before: each
// grant is a write, and where one write grants several, or counts on from other lock servers, the
// mark says so.
//
// Threads: pure functions. Hostile input yields nothing, never a guess.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
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
  [[nodiscard]] std::string beat(std::uint64_t slot) const;
  [[nodiscard]] EtcdRange beats() const;
  [[nodiscard]] std::string ticket(const std::string& client) const;
  [[nodiscard]] EtcdRange tickets() const;
  [[nodiscard]] std::string past(FencingToken token) const;
  [[nodiscard]] EtcdRange pasts() const;
};

// True if a prefix has a part by which its keys could be those of a shorter prefix.
[[nodiscard]] bool is_ambiguous_prefix(std::string_view prefix);

struct EtcdBeatKey {
  std::int64_t revision = 0;
  std::optional<std::uint64_t> slot;  // nothing: it has to be read
};

struct EtcdSight {
  std::int64_t revision = 0;         // of the whole
  std::int64_t record_revision = 0;  // 0: there is no record
  std::uint64_t mark = 0;            // 0: there is none
  Durable durable;
  Soft soft;
  std::map<FencingToken, EtcdBeatKey> beat_keys;
  std::map<FencingToken, std::chrono::milliseconds> granted;
  std::map<std::string, std::int64_t> ticket_revisions;  // by client
  std::int64_t tickets_revision = 0;  // when these were read, which may be before the rest

  [[nodiscard]] std::uint64_t free_slot() const;
  [[nodiscard]] bool has_all_slots() const;
  // When that hold began, since 1970, where it is known.
  [[nodiscard]] std::optional<std::chrono::milliseconds> granted_at(FencingToken token) const;
  // No token up to this one is ever granted.
  [[nodiscard]] std::uint64_t count() const;
  // Of the heartbeats. Another one while a key of theirs is missing: somebody has removed it, and
  // what it said is lost. Whoever makes it anew writes the record anew, too, so that the next loss
  // is known for another.
  [[nodiscard]] BootId boot() const;
  // The record was removed while somebody held the lock.
  [[nodiscard]] bool is_orphaned() const { return record_revision == 0 && !beat_keys.empty(); }
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

// The value of a heartbeat's key.
[[nodiscard]] std::string beat_text(FencingToken token, std::uint32_t beat,
                                    std::optional<std::chrono::milliseconds> granted);
struct EtcdBeat {
  FencingToken token;
  std::uint32_t beat = 0;
  std::optional<std::chrono::milliseconds> granted;
};
[[nodiscard]] std::optional<EtcdBeat> parse_beat(std::string_view text);

// All that past_holds_of() needs, for the ranges of a transaction.
[[nodiscard]] std::vector<EtcdRange> past_ranges(const EtcdKeys& keys);
// The holds that these ranges have shown, the newest first, at most kPastHoldsMax.
[[nodiscard]] std::vector<PastHold> past_holds_of(const EtcdOutcome& outcome);

// Nothing is lost with the record but where its tokens go on.
[[nodiscard]] bool is_idle(const Durable& durable);

}  // namespace dexlock
