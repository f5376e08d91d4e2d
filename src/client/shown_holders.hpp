// The holders of a record as programs and people are told of them.
//
// Threads: pure functions.
#pragma once

#include <vector>

#include "dexlock/maintenance.hpp"
#include "session/session.hpp"

namespace dexlock {

[[nodiscard]] std::vector<LockHolder> shown_holders(const Record& record);

// With how long each has been seen without a sign of life.
[[nodiscard]] std::vector<LockHolder> shown_holders(const Session& session, Instant now);

// The newest record that `session` has been shown; what a majority has may be newer.
[[nodiscard]] Record newest_record(const Session& session);

}  // namespace dexlock
