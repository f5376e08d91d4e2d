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
  void add(pid_t pid) {
    const std::lock_guard lock(mutex_);
    pids_.insert(pid);
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
