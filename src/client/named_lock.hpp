// One of several locks that are asked for in one call: what is asked for it, and whether the names
// of all are fine.
//
// Threads: any.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "dexlock/lease.hpp"

namespace dexlock {

// For waiting only; leases never depend on it.
using WaitClock = std::chrono::steady_clock;

// For one that is given back because another one was not to be had, or was.
inline constexpr std::chrono::milliseconds kGiveBackLimit{5'000};

// bad_argument: one is no name, or there twice.
[[nodiscard]] Result<void> check_names(std::vector<std::string> names);

// `options` for the lock `name`, now, if the waiting began at `began`.
[[nodiscard]] LeaseOptions options_for(const LeaseOptions& options, const std::string& name,
                                       WaitClock::time_point began);

// What became of the lock `name`.
[[nodiscard]] Error named_error(const std::string& name, const Error& error);

}  // namespace dexlock
