// What a person does to a lock: break a holder, hold the lock for maintenance, hand it over.
//
// Threads: any; each call blocks until it is done or its own deadline has passed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dexlock/api.hpp"
#include "dexlock/error.hpp"
#include "dexlock/one_shot.hpp"
#include "dexlock/sharing.hpp"

namespace dexlock {

struct LockHolder {
  std::uint64_t token = 0;
  std::string who;  // user, host, pid and command; the client's id if it has not told
  Sharing sharing;
  // For so long this host has not seen a sign of life from it, though it looked; nothing: never
  // looked before.
  std::optional<std::chrono::milliseconds> unchanged;
};

// What became of one of these calls. Not `done`: refused, nothing was changed, and `reason` says
// why in one line.
struct ChangeOutcome {
  bool done = false;
  std::string reason;
  std::vector<LockHolder> holders;  // afterwards
};

// Errors of all: bad_argument, bad_config, not_permitted, no_quorum (nothing was changed),
// outcome_unknown (it may have been done, or be done later: look, and do it again), io.

// Who holds the lock, as a majority of the servers shows it now.
DEXLOCK_API [[nodiscard]] Result<std::vector<LockHolder>> lock_holders(const std::string& name,
                                                                       Remarks& remarks);

// Takes the lock from the holder with this token, at once, and hands it to who is next in line.
// That holder's work may be going on: it learns of it when it next renews.
DEXLOCK_API [[nodiscard]] Result<ChangeOutcome> break_lock(const std::string& name,
                                                           std::uint64_t token, Remarks& remarks);

struct HoldOptions {
  std::string name;
  std::string note;                                 // why, for those who wait
  std::optional<std::chrono::milliseconds> wait;    // until nobody holds it
  std::function<void(const std::string&)> on_wait;  // what it waits for
};

// Nobody gets the lock from here on; who has it keeps it. With `wait`, not done while it is held,
// but on hold all the same.
DEXLOCK_API [[nodiscard]] Result<ChangeOutcome> hold_lock(const HoldOptions& options,
                                                          Remarks& remarks);

// Ends that; who waits in line has the lock at once. Not done where the lock is moving here from
// other lock servers, unless `by_force`: it may be held there.
DEXLOCK_API [[nodiscard]] Result<ChangeOutcome> lift_hold(const std::string& name, Remarks& remarks,
                                                          bool by_force = false);

struct MigrationOptions {
  std::string name;
  std::optional<std::string> from;    // directory of a configuration; without, the one in use
  std::string to;                     // the same, of the new lock servers
  std::chrono::milliseconds wait{0};  // until nobody holds it on the old ones
  std::function<void(const std::string&)> on_wait;  // what it waits for
};

// Moves the lock to other lock servers: nobody gets it while it moves, those who come with the new
// configuration wait for that, the tokens go on counting, and the old servers tell from then on
// where it is. May be done again, by anybody, from whatever a crash has left. Not done: it is held
// (and both sides are on hold, until this is done again), or somebody else has closed it. Errors
// besides: a group of the new servers that cannot count on from the old one's tokens is bad_config.
DEXLOCK_API [[nodiscard]] Result<ChangeOutcome> migrate_lock(const MigrationOptions& options,
                                                             Remarks& remarks);

// Hands what this owner holds to `to` (what it is shown as, or a part of that which fits no other),
// or to who is next. Not done: nobody (or not that one) waits, and this owner holds it as before.
DEXLOCK_API [[nodiscard]] Result<ChangeOutcome> hand_over_lock(const OneShotOptions& options,
                                                               const std::optional<std::string>& to,
                                                               Remarks& remarks);

}  // namespace dexlock
