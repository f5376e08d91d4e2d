// Moves a lock from one group of lock servers to another: pure functions from record to record.
//
// The new side arrives (on hold), the old one leaves (on hold, until nobody holds it), the new one
// inherits what the old one was, the old one has moved (for good), the new one is opened. Each step
// recognises its own effect and declines whatever another one has done meanwhile, so all of it may
// be done again, by anybody, from whatever a crash has left; and two that move a lock in opposite
// directions do not get past each other's hold.
//
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lock/change.hpp"
#include "lock/record.hpp"

namespace dexlock {

// The two groups, by their ids, and where the new one is, for people.
struct Migration {
  std::string from;
  std::string to;
  std::string to_servers;
  std::string id;  // of arrival_id(), once it is known
};

// True if `record`, of the old side, is at the new one for good.
[[nodiscard]] bool has_moved(const Record& record, const Migration& migration);

// What an operator's own hold must not be called.
[[nodiscard]] bool is_note_of_migration(std::string_view note);

// On hold for some migration to here.
[[nodiscard]] bool is_arriving(const Gate& gate);

// If `record`, of the new side, is on hold for such a move: its id.
[[nodiscard]] std::optional<std::string> arrival_id(const Record& record,
                                                    const Migration& migration);

// 1. The new side is on hold, by `op` if it was not already: see arrival_id(). A lock that had
// moved away to the old side may come back. Declines (as all of these do: gate_closed) where
// somebody else has closed the gate.
[[nodiscard]] Change arrive(const Record& base, const Migration& migration, const OpId& op);

// 2. The old side is on hold. One that has moved already stays so.
[[nodiscard]] Change leave(const Record& base, const Migration& migration, const OpId& op);

// 3. The new side counts on from what the old one was, `old`, on hold or moved and held by nobody.
// Its tokens are greater than any of the old side, its value is the newer one of both, and who was
// not fenced there is still to be found. Declines: held.
// Requires: the epoch of the new side is not below that of the old one; `same_epoch`: nor above.
[[nodiscard]] Change inherit(const Record& base, const Record& old, bool same_epoch,
                             const Migration& migration, const OpId& op);

// 4. The old side has moved, if it is still as it was inherited: `old`. Declines: held.
[[nodiscard]] Change moved(const Record& base, const Record& old, const Migration& migration,
                           const OpId& op);

// 5. The new side is open, to those who wait first. `spec`: as for lift().
[[nodiscard]] Change open_arrived(const Record& base, const Migration& migration,
                                  const ReleaseSpec& spec);

}  // namespace dexlock
