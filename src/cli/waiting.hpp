// The wait for the lock of `run`: one line on a terminal that says why it waits, and signals end
// it.
//
// Threads: one.
#pragma once

#include <memory>
#include <optional>

#include "cli/caught_signals.hpp"
#include "cli/run_options.hpp"
#include "dexlock/lease.hpp"

namespace dexlock {

struct Acquired {
  Result<std::unique_ptr<Lease>> lease;
  std::optional<int> signal;  // ended the wait
};

[[nodiscard]] Acquired wait_for_lock(RunOptions& options, const CaughtSignals& signals);

}  // namespace dexlock
