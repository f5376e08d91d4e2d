// The history of a lock from what several servers have kept of it: by token, and of one token as
// most of them say.
//
// Threads: pure functions.
#pragma once

#include <optional>
#include <vector>

#include "dexlock/inspection.hpp"
#include "wire/past_hold.hpp"

namespace dexlock {

// `lock`: what the record says; it is right about who has the lock and who had it last. The newest
// first, at most kPastHoldsMax.
[[nodiscard]] std::vector<HoldSight> merged_holds(const std::vector<std::vector<PastHold>>& kept,
                                                  const LockSight& lock);

}  // namespace dexlock
