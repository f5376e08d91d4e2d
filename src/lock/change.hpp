// The changes of a lock record: pure functions from record to record. Each recognises its own
// effect, so that it may be tried again after an unknown outcome without happening twice.
//
// A change that finds nothing to do but is reported to somebody ("already granted", "already gone")
// still writes the record it read back: an answer based on a value that no majority has could be
// undone by the next reader [Cassandra 12126, Scylla 6299].
//
// Threads: pure functions.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "lock/record.hpp"
#include "lock/ticket.hpp"

namespace dexlock {

enum class Declined {
  held,         // incompatible holders
  gate_closed,  // held for maintenance, or moved
  no_room,      // holders or bytes of the record are at their limit
  not_held,     // the caller is not a holder
  too_new,      // a newer version wrote this record; it is never modified here
  used_up,      // 2^40 grants in this epoch
};

// Either a record to write, or why not.
struct Change {
  static Change write(Record record) {
    return Change{.next = std::move(record), .declined = {}, .heir = {}};
  }
  // Declines with no_room what could not be read back.
  static Change write_if_room(Record record);
  static Change decline(Declined why) {
    return Change{.next = std::nullopt, .declined = why, .heir = {}};
  }

  std::optional<Record> next;
  Declined declined = Declined::held;
  std::optional<ProposerId> heir;  // the lock goes to this one alone, by its ticket
};

struct AcquireSpec {
  Claim claim;
  OpId op;  // names this acquisition; found again in the holder entry
  Epoch epoch;
  Terms terms;
  std::string who;
  std::size_t holders_max = kHoldersMax;  // 16 where a `files` store is among the servers
  bool keep_unfenced = false;             // see is_unfenced()
};

// It did not give the lock up by itself, and nobody has made sure that it works no more. Where
// holders do that before they work themselves, with `keep_unfenced`, it stays the last one until
// mark_fenced(): whoever comes after a holder that died before that, or gave up, must still find
// it, and that holder has not worked.
[[nodiscard]] bool is_unfenced(const std::optional<Departed>& departed);

// Grants to `spec.claim.client`. An entry of this client with another op is one it has given up or
// never learned of: it is replaced by the new grant, in the same change.
[[nodiscard]] Change acquire(const Record& base, const AcquireSpec& spec);

struct ReleaseSpec {
  ClientId client;
  std::optional<FencingToken> token;  // only this one; nothing: all entries of the client
  Epoch epoch;
  OpId op;
  std::vector<Ticket> waiting;  // merged and senior first; empty = release to FREE
  std::size_t holders_max = kHoldersMax;
  bool keep_unfenced = false;
};

// The operation that a grant by this very ticket is known by. It names the refresh that the lease
// will count from: of two values that hand one token to one client, of which one may never be
// chosen, what was seen of the one must not count against the other, whose lease begins later.
[[nodiscard]] OpId inherited_op(const Ticket& ticket);

// Removes the client's entries and hands over to the heirs among `waiting`.
[[nodiscard]] Change release(const Record& base, const ReleaseSpec& spec);

// An operator takes `token` from whoever holds it, and hands over as release() does. Another token
// than a listed one changes nothing. `spec`: as for release(), but for its client and token.
[[nodiscard]] Change break_holder(const Record& base, FencingToken token, const ReleaseSpec& spec);

// Nothing is granted from here on; who holds the lock keeps it. Declines if the lock has moved, or
// if the record has no room for the note.
[[nodiscard]] Change hold(const Record& base, const std::string& note, const OpId& op);

enum class Lift { by_hand, arrived };

// Ends that, and hands over as release() does to those who wait. `spec`: as for break_holder().
// By hand it is not for a lock that is moving here (migration.hpp): the other side may be held.
[[nodiscard]] Change lift(const Record& base, const ReleaseSpec& spec, Lift which = Lift::by_hand);

// As release(), but to `heir` before all others, and not at all if `heir` is not among
// `spec.waiting` or cannot be granted it then; without one, to who is next. Declines: held, if
// nobody got it; not_held.
[[nodiscard]] Change hand_over(const Record& base, const std::optional<ClientId>& heir,
                               ReleaseSpec spec);

// The release to FREE of `token` as a function of `base` alone, whoever computes it: what a saved
// sticky promise may carry. Declines when the result would not be FREE.
[[nodiscard]] Change plain_release(const Record& base, FencingToken token);

// Grants to whoever is next in line: to those of `waiting` (merged and senior first) that are
// senior to `spec`'s client, else to that client; a client without a ticket there is the last. So
// all who find a lock free grant it alike, whoever comes first.
[[nodiscard]] Change acquire_in_turn(const Record& base, const AcquireSpec& spec,
                                     const std::vector<Ticket>& waiting);

// As acquire(), but joins no holders (Mode::shared, Mode::semaphore) for whose leaving one of
// `waiting` waits: else new ones could come for ever.
[[nodiscard]] Change acquire_unless_waited_for(const Record& base, const AcquireSpec& spec,
                                               const std::vector<Ticket>& waiting);

// Removes `victim` as expired, then grants as acquire_in_turn() does, as far as that is possible
// beside the others.
[[nodiscard]] Change evict(const Record& base, const GrantId& victim, const AcquireSpec& spec,
                           const std::vector<Ticket>& waiting = {});

// Writes the record back as it is if `client` still holds `token`.
[[nodiscard]] Change confirm(const Record& base, const ClientId& client, FencingToken token);

// As confirm(), with `text` as the value stored with the lock and everything else as it is. Twice
// is once as long as nobody else stores meanwhile: it is for who holds the lock alone.
[[nodiscard]] Change store_value(const Record& base, const ClientId& client, FencingToken token,
                                 const std::string& text, const OpId& op);

// As confirm(), with the departed holder of `fenced` marked as one that surely works no more.
[[nodiscard]] Change mark_fenced(const Record& base, const ClientId& client, FencingToken token,
                                 FencingToken fenced, const OpId& op);

}  // namespace dexlock
