// The acceptor where not every promise is synced. A promise that sets no fence, and whose round is
// at most kUnsyncedRounds above the synced promise, is kept in the volatile state only: most are
// followed by a value that is synced and raises the promise with it. When the volatile state has
// been lost nobody knows what was promised so; then the key counts as promised up to its ceiling,
// the last ballot that could have been: prepares, values and fast ballots up to it are refused.
// The next promise is above the ceiling, hence synced, and ends that.
//
// Invariants:  what was promised is never given away, not even over a loss of the volatile state,
//              as long as who lost it says so. A fence is always synced.
// Threads:     pure functions.
#pragma once

#include <cstdint>

#include "register/acceptor.hpp"

namespace dexlock {

inline constexpr std::uint32_t kUnsyncedRounds = 64;

// How one key of one server stands to its ceiling.
struct PromiseCeiling {
  bool lost = false;  // the volatile state was, since the record was written
  std::uint32_t rounds = kUnsyncedRounds;
};

// The highest ballot that counts as promised.
[[nodiscard]] Ballot promised_in_effect(const Durable& synced, const Soft& soft,
                                        const PromiseCeiling& ceiling);

// As apply() of acceptor.hpp, which has the rules, but that a promise may be left in `soft`. What
// was lost is made good once `synced` has changed.
struct CeilingStep : Step {
  bool unsynced = false;  // `soft` must not be lost unnoticed
};
[[nodiscard]] CeilingStep apply(Durable& synced, Soft& soft, const BootId& boot,
                                const Request& request, PromiseCeiling& ceiling);

// Shows what is in effect.
[[nodiscard]] State state_of(const Durable& synced, const Soft& soft, const BootId& boot,
                             const PromiseCeiling& ceiling);

}  // namespace dexlock
