// A child process in its own session, its three standard streams connected to descriptors of ours.
//
// Invariants:  a process number is signalled only while the child is known not to have been reaped,
//              so never a stranger's. What is not reaped when its owner goes is killed and
//              remembered, and reaped by a later start or end of any child: no zombies pile up.
// Threads:     one at a time for one object; different objects are independent.
// Never does:  wait (except the moment exec takes), handle SIGCHLD, change a signal disposition of
//              the calling process, pass the caller's other descriptors on.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dexlock/error.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

// How a child ended: one of the two is set; neither if somebody else reaped it.
struct ChildStatus {
  int exit_status = -1;
  int signal = 0;
};

// Our ends of the child's streams, close-on-exec, non-blocking, never 0, 1 or 2. `stdin_socket` is
// a Unix stream socket, so that writing with MSG_NOSIGNAL needs no process-wide SIGPIPE setting.
struct ChildStreams {
  UniqueFd stdin_socket;
  UniqueFd stdout_pipe;
  UniqueFd stderr_pipe;
};

class ChildProcess {
 public:
  ChildProcess() = default;
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  // Kills what still runs, as kill_group() does.
  ~ChildProcess();

  // Somebody else's child, which this object may end all the same.
  static ChildProcess adopted(UniqueFd pidfd) { return ChildProcess(0, std::move(pidfd)); }

  struct Started;
  // Runs argv[0] (looked up in PATH) with no controlling terminal, default signal dispositions and
  // an empty signal mask. Errors: bad_argument for an empty argv or one with NUL bytes, bad_config
  // when the program is missing or may not be run, io for anything else.
  static Result<Started> start(const std::vector<std::string>& argv);

  // SIGKILL to the child's process group, also when the child itself has ended but is not reaped
  // yet. A descendant that made itself a session of its own (a daemon) is left alone.
  void kill_group();
  // The status once the child has ended; reaps it. Nothing while it runs. Repeats its answer.
  std::optional<ChildStatus> reap();

  // Leaves the process alone from here on.
  UniqueFd let_go();

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Readable once the child has ended. Stays owned by this object.
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }

 private:
  ChildProcess(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  void abandon();

  pid_t pid_ = -1;  // 0: adopted
  UniqueFd pidfd_;
  std::optional<ChildStatus> status_;
};

struct ChildProcess::Started {
  ChildProcess child;
  ChildStreams streams;
};

}  // namespace dexlock
