// Watches the command while the lease runs, and takes it down the ladder when the lease ends.
//
// Invariants:  nothing it does on the way waits for anybody.
// Threads:     one.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cli/caught_signals.hpp"
#include "cli/deadline_file.hpp"
#include "cli/guarded_process.hpp"
#include "cli/hook.hpp"
#include "cli/run_options.hpp"
#include "dexlock/lease.hpp"
#include "process/watchdog.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

class Guardian {
 public:
  // What it watches with. All must live as long as this.
  struct Watched {
    const RunOptions& options;
    Lease& lease;
    const CaughtSignals& signals;
    const DeadlineFile& deadline_file;
    std::vector<std::string> settings;  // for hooks: NAME=VALUE
  };
  // `limit`: how long it may run; none: as long as it likes. `watchdog`: armed, or none.
  Guardian(const Watched& watched, GuardedProcess& process,
           std::optional<std::chrono::milliseconds> limit, const Watchdog* watchdog);

  // Returns when the command has ended and, if the lock was lost, all that has come of it.
  void watch();

  // A command that ended when its time was over may have worked too long.
  [[nodiscard]] bool lost() const;
  [[nodiscard]] bool late() const { return ended_at_ > ladder_.gone_by; }
  // It was stopped because its own time was over.
  [[nodiscard]] bool ran_too_long() const { return too_long_; }
  // `run` was given a signal that ends a process; the last one.
  [[nodiscard]] std::optional<int> told_to_end() const { return told_to_end_; }

 private:
  using nanoseconds = std::chrono::nanoseconds;

  [[nodiscard]] bool finished() const;
  [[nodiscard]] nanoseconds elapsed() const;
  [[nodiscard]] nanoseconds age() const;
  void tell_time();
  void warn();
  void limit_time();
  void feed_watchdog() const;
  void step_ladder();
  void wait();
  void pass_signals();
  void stop_with_it();

  const Watched& watched_;
  const RunOptions& options_;
  Lease& lease_;
  GuardedProcess& process_;
  std::optional<nanoseconds> limit_;
  const Watchdog* watchdog_;
  nanoseconds started_at_;  // on the clock that runs through suspend
  std::optional<Hook> degraded_;
  bool warned_ = false;
  bool too_long_ = false;
  std::optional<int> told_to_end_;
  StopLadder ladder_;
  UniqueFd timer_;
  bool stopping_ = false;
  nanoseconds stopping_from_{};  // so far into the lease
  nanoseconds stopping_at_{};    // on the clock that runs through suspend
  nanoseconds ended_at_{};
};

}  // namespace dexlock
