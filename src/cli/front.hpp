// The process that the caller of `run` waits for, where the holder of the lock is to outlive it
// (--min-hold): it passes signals on, stops and goes on with the holder, and ends as that says.
//
// Invariants:  if it is killed before the holder has spoken, the holder is killed as well.
// Threads:     begin() must be called before this process has a second thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <utility>

#include "cli/caught_signals.hpp"
#include "dexlock/error.hpp"
#include "dexlock/lease.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

// The holder's side.
class Front {
 public:
  // Forks. The caller goes on as the holder; in the front, `status` tells how to end. io: it could
  // not be made.
  [[nodiscard]] static Result<Front> begin(std::optional<int>& status);

  // `wait_status`, as waitpid tells it, is what the front ends with. This process then has no
  // terminal and no caller any more.
  void let_go(int wait_status);

 private:
  explicit Front(UniqueFd line) : line_(std::move(line)) {}

  UniqueFd line_;
};

// Until that moment, on the clock that runs through suspend, unless the lease is lost or a signal
// ends the wait before.
void wait_until(std::chrono::nanoseconds moment, Lease& lease, const CaughtSignals& signals);

}  // namespace dexlock
