// The command that runs under a lock: a process group of its own, with the terminal if its guardian
// had it.
//
// Invariants:  the group gets no signal before it was started nor after it was seen empty;
//              if the guardian dies, the command is killed by the kernel;
//              what the command leaves behind becomes the guardian's child, so that an empty group
//              is seen.
// Threads:     one.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "dexlock/error.hpp"

namespace dexlock {

class GuardedProcess {
 public:
  // Why it could not be run: an errno of exec.
  struct NotRun {
    int error = 0;
  };

  // `environment`: NAME=VALUE, on top of this process's own.
  [[nodiscard]] static std::expected<GuardedProcess, NotRun> start(
      const std::vector<std::string>& command, const std::vector<std::string>& environment);

  void signal_group(int signal) const;

  // Reaps what has ended. True once the command itself has ended.
  bool reap();
  [[nodiscard]] bool ended() const { return status_.has_value(); }
  // As waitpid tells it. Requires: ended.
  [[nodiscard]] int wait_status() const { return *status_; }
  // The command has been stopped by job control (not by SIGSTOP) since the last call.
  [[nodiscard]] bool take_stopped();

  // True while any process of the group exists.
  [[nodiscard]] bool group_exists() const;

  // The terminal follows the command, where the guardian was in its foreground.
  void give_terminal() const;
  void take_terminal() const;

 private:
  explicit GuardedProcess(pid_t pid, bool foreground) : pid_(pid), foreground_(foreground) {}

  pid_t pid_;
  bool foreground_;
  bool stopped_ = false;
  std::optional<int> status_;
};

}  // namespace dexlock
