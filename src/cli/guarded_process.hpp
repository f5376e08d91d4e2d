// The command that runs under a lock: a process group of its own, with the terminal if its guardian
// had it, and all that has come of it, whatever group or session that has moved to.
//
// Invariants:  nothing gets a signal before the command was started nor after all was seen ended;
//              if the guardian dies, the sentinel kills all of it; if the sentinel dies, the kernel
//              kills the command, and the guardian the rest.
// Threads:     one.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "cli/sentinel.hpp"
#include "dexlock/error.hpp"
#include "process/process_tree.hpp"

namespace dexlock {

class GuardedProcess {
 public:
  // Why it could not be run: an errno; ETIME: the deadline was over; ECHILD: the sentinel is dead.
  struct NotRun {
    int error = 0;
  };

  // What is started, where.
  struct Start {
    Sentinel& sentinel;
    std::size_t program = 0;            // of the sentinel's
    std::vector<std::string> settings;  // the first tells it from all other commands
    const Cgroup* group = nullptr;      // the sentinel's
  };
  // `deadline`: as Sentinel::set_deadline().
  [[nodiscard]] static std::expected<GuardedProcess, NotRun> start(
      const Start& what, std::chrono::nanoseconds deadline);

  // As Sentinel::set_deadline().
  void set_deadline(std::chrono::nanoseconds deadline) { sentinel_.set_deadline(deadline); }

  // To the command and all that has come of it.
  void signal_all(int signal) const;

  // A stopped sentinel guards nothing and tells nothing.
  void keep_guarded() const { sentinel_.go_on(); }

  // Hears what has become of the command. True once it has ended.
  bool reap();
  [[nodiscard]] bool ended() const { return status_.has_value(); }
  // As waitpid tells it. Requires: ended.
  [[nodiscard]] int wait_status() const { return *status_; }
  // On the clock that runs through suspend. Requires: ended.
  [[nodiscard]] std::chrono::nanoseconds ended_at() const { return ended_at_; }
  // The command has been stopped by job control (not by SIGSTOP) since the last call.
  [[nodiscard]] bool take_stopped();
  // Readable when reap() would hear something.
  [[nodiscard]] int news_fd() const { return sentinel_.fd(); }

  // The sentinel killed it, since its deadline had not been put off.
  [[nodiscard]] bool overdue() const { return overdue_; }

  // The sentinel is dead: what is left of the command must end.
  [[nodiscard]] bool unguarded() const { return !sentinel_.alive(); }

  // True while anything of it runs.
  [[nodiscard]] bool anything_left() const;

  // The terminal follows the command, where the guardian was in its foreground.
  void give_terminal() const;
  void take_terminal() const;

 private:
  GuardedProcess(const Start& what, pid_t pid, bool foreground)
      : sentinel_(what.sentinel),
        group_(what.group),
        pid_(pid),
        foreground_(foreground),
        mark_(what.settings.front()) {}

  [[nodiscard]] std::vector<ProcessStat> all() const;

  Sentinel& sentinel_;
  const Cgroup* group_;
  pid_t pid_;
  bool foreground_;
  std::string mark_;
  bool stopped_ = false;
  std::optional<int> status_;
  std::chrono::nanoseconds ended_at_{};
  bool overdue_ = false;
};

}  // namespace dexlock
