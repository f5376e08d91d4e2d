// The processes that this one runs for its own ends, for example to reach a lock server: who ends
// all that it has started for others spares them, and what is below them.
//
// Threads: any.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <set>

namespace dexlock {

class OwnHelpers {
 public:
  static OwnHelpers& instance() {
    static auto* const helpers = new OwnHelpers;  // never destroyed: owners may go at program end
    return *helpers;
  }
  // Adds what `start` starts before anybody can see it as a stranger; -1: nothing.
  template <class Start>
  void add_started(Start start) {
    const std::lock_guard lock(mutex_);
    if (const pid_t pid = start(); pid > 0) {
      pids_.insert(pid);
    }
  }
  void remove(pid_t pid) {
    const std::lock_guard lock(mutex_);
    pids_.erase(pid);
  }
  [[nodiscard]] std::set<pid_t> all() const {
    const std::lock_guard lock(mutex_);
    return pids_;
  }

 private:
  mutable std::mutex mutex_;
  std::set<pid_t> pids_;
};

}  // namespace dexlock
