// A control group (cgroup v2) of its own for a command and all that comes of it: nothing leaves it
// by losing its parent or changing its session, and the kernel ends all of it at once. It is made
// where this process may make one, and goes when it is empty.
//
// Threads: any, after make().
#pragma once

#include <sys/types.h>

#include <atomic>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dexlock {

class Cgroup {
 public:
  // Below the group that this process is in. Removes what killed ones of this kind left there.
  // Nothing: there is no cgroup v2 here, or this process may not.
  [[nodiscard]] static std::optional<Cgroup> make();
  // One that somebody else has made, who may be gone, and it too.
  [[nodiscard]] static Cgroup at(std::string path);
  Cgroup(Cgroup&& other) noexcept;
  Cgroup& operator=(Cgroup&&) = delete;
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;
  ~Cgroup();  // what still runs in it goes on, and it stays then

  // As fork(2), with the child in the group, or with `outside`: there it must enter(). In a process
  // with other threads the child may only go on to exec, by calls that are async-signal-safe.
  [[nodiscard]] pid_t fork(bool& outside) const;
  // Moves the calling process there. False: it stays where it is.
  [[nodiscard]] bool enter() const;
  // SIGKILL to all of it.
  void kill() const;
  [[nodiscard]] std::vector<pid_t> processes() const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Cgroup(std::string path, pid_t maker)
      : maker_(maker), killed_(maker == 0), path_(std::move(path)) {}

  pid_t maker_;  // 0: it was made by another process
  // Linux (seen in 6.18) kills whatever is born in a group that was killed before, not what enters.
  mutable std::atomic<bool> killed_ = false;
  std::string path_;
};

}  // namespace dexlock
