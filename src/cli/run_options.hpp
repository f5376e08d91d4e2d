// What `dex-lock run` was asked to do.
//
// Threads: plain values.
#pragma once

#include <signal.h>

#include <string>
#include <vector>

#include "dexlock/exit_status.hpp"
#include "dexlock/lease.hpp"
#include "lease/timing.hpp"

namespace dexlock {

struct RunOptions {
  LeaseOptions lease;
  std::vector<std::string> also;
  std::vector<std::string> any;  // or one of these instead
  int signal = SIGTERM;
  int not_acquired = static_cast<int>(ExitStatus::not_acquired);
  bool explain = false;
  bool verbose = false;
  std::vector<std::string> command;
};

[[nodiscard]] inline StopLadder ladder_of(const RunOptions& options) {
  return stop_ladder({.lease = options.lease.timeout, .stop = options.lease.stop_timeout});
}

}  // namespace dexlock
