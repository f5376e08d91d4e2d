// A small process between `run` and its command: the parent of the command and of all that loses
// its parent below it (PR_SET_CHILD_SUBREAPER), so that nothing of the command can be lost sight
// of. So it is with hooks that work under the lock, before the command. When `run` is gone without
// a word, killed by whatever signal, it kills all that is below it.
//
// Invariants:  it starts one program at a time, of those that it knew when it began, and nothing
//              before it is told to;
//              what has been left to it is let go only by `run`'s own word.
// Threads:     begin() must be called before this process has a second thread. The rest: one.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "dexlock/error.hpp"
#include "process/cgroup.hpp"
#include "system/boot_time.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

class Sentinel {
 public:
  // What it tells of the command.
  struct News {
    enum class Kind { started, not_run, stopped, ended };
    Kind kind{};
    pid_t pid = 0;  // of the command
    int value =
        0;  // not_run: an errno, ETIME: too late; stopped: a signal; ended: as waitpid tells it
    // When it happened, on the clock that runs through suspend; after the deadline, when nothing
    // was left any more.
    std::chrono::nanoseconds at{};
    bool overdue = false;  // ended: the deadline had passed, and all that was left was killed
  };

  using Program = std::vector<std::string>;  // its name, and arguments

  // What it starts it puts into `group`, if there is one, which must outlive it. io: it could not
  // be made.
  [[nodiscard]] static Result<Sentinel> begin(std::vector<Program> programs, const Cgroup* group);
  Sentinel(Sentinel&&) = default;
  Sentinel& operator=(Sentinel&&) = delete;
  Sentinel(const Sentinel&) = delete;
  Sentinel& operator=(const Sentinel&) = delete;
  ~Sentinel() { end(); }

  // Starts that of its programs, unless its deadline is over, in a process group of its own, with
  // `settings`, NAME=VALUE, on top of this process's environment; `foreground`: with the terminal.
  // From then on it is the command. `deadline`: as set_deadline().
  void start(std::size_t program, const std::vector<std::string>& settings, bool foreground,
             std::chrono::nanoseconds deadline);
  // Then all that is left is killed, unless it has been put off. On the clock that runs through
  // suspend.
  void set_deadline(std::chrono::nanoseconds deadline);
  // The next news, if there are any; waits for them so long. Its own end is told as that of the
  // command by SIGKILL, each time.
  [[nodiscard]] std::optional<News> next(std::chrono::milliseconds wait);
  [[nodiscard]] bool alive() const { return alive_; }  // by the latest news
  // Readable when there are news.
  [[nodiscard]] int fd() const { return socket_.get(); }

  // What runs below it goes on without it. It may take its time to end.
  void let_go();

  // Returns when it has ended, and all that is below it has been killed, unless it was let go.
  void end();

  // If somebody has stopped it.
  void go_on() const;

  // For one that does not answer: it is stopped, perhaps.
  void kill();

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  Sentinel(pid_t pid, UniqueFd socket) : pid_(pid), socket_(std::move(socket)) {}

  void wait_for_end() const;
  [[nodiscard]] bool ends_within(std::chrono::milliseconds limit) const;

  pid_t pid_;
  UniqueFd socket_;
  std::chrono::nanoseconds deadline_{};
  int refused_ = 0;  // an errno: it could not be told to start
  bool alive_ = true;
  bool let_go_ = false;
};

}  // namespace dexlock
