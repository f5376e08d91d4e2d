// What `dex-lock run` was asked to do.
//
// Threads: plain values.
#pragma once

#include <signal.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dexlock/exit_status.hpp"
#include "dexlock/lease.hpp"
#include "lease/timing.hpp"

namespace dexlock {

// Commands for /bin/sh around the one that runs; empty: none.
struct RunHooks {
  std::string before;          // may it ask for the lock?
  std::string on_acquire;      // with the lock, before the command
  std::string fence_previous;  // before that, if the holder before did not give the lock up
  std::string on_degraded;
  std::string on_lost;
  std::chrono::milliseconds limit{60'000};  // that each of them may take
};

struct RunOptions {
  LeaseOptions lease;
  std::vector<std::string> also;
  std::vector<std::string> any;  // or one of these instead
  int signal = SIGTERM;
  int not_acquired = static_cast<int>(ExitStatus::not_acquired);
  std::optional<std::chrono::milliseconds> max_run;
  std::optional<std::chrono::milliseconds> min_hold;
  RunHooks hooks;
  std::string watchdog;  // its device; empty: none
  bool cgroup = true;    // if it may have one
  bool explain = false;
  bool verbose = false;
  std::vector<std::string> command;
};

// A status to end with, or nothing: go on.
[[nodiscard]] std::optional<int> read_run_options(std::span<const std::string> words,
                                                  RunOptions& options);

[[nodiscard]] inline StopLadder ladder_of(const RunOptions& options) {
  return stop_ladder({.lease = options.lease.timeout, .stop = options.lease.stop_timeout});
}

// NAME and those of --also, or the pool of --any.
[[nodiscard]] std::vector<std::string> names_asked_for(const RunOptions& options);

// What would happen when, on stderr.
void explain(const RunOptions& options);

}  // namespace dexlock
