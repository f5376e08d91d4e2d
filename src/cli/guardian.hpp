// Watches the command while the lease runs, and takes it down the ladder when the lease ends.
//
// Invariants:  nothing it does on the way waits for anybody.
// Threads:     one.
#pragma once

#include <chrono>

#include "cli/caught_signals.hpp"
#include "cli/deadline_file.hpp"
#include "cli/guarded_process.hpp"
#include "cli/run_options.hpp"
#include "dexlock/lease.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

class Guardian {
 public:
  // All must live as long as this.
  Guardian(const RunOptions& options, Lease& lease, GuardedProcess& process,
           const CaughtSignals& signals, const DeadlineFile& deadline_file);

  // Returns when the command has ended and, if the lock was lost, all that has come of it.
  void watch();

  // A command that ended when its time was over may have worked too long.
  [[nodiscard]] bool lost() const;
  [[nodiscard]] bool late() const { return ended_at_ > ladder_.gone_by; }

 private:
  using nanoseconds = std::chrono::nanoseconds;

  [[nodiscard]] bool finished() const;
  [[nodiscard]] nanoseconds elapsed() const;
  void tell_time();
  void step_ladder();
  void wait();
  void pass_signals();
  void stop_with_it();

  const RunOptions& options_;
  Lease& lease_;
  GuardedProcess& process_;
  const CaughtSignals& signals_;
  const DeadlineFile& deadline_file_;
  StopLadder ladder_;
  UniqueFd timer_;
  bool stopping_ = false;
  nanoseconds stopping_from_{};  // so far into the lease
  nanoseconds stopping_at_{};    // on the clock that runs through suspend
  nanoseconds ended_at_{};
};

}  // namespace dexlock
