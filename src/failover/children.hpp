// The children of this process that have ended, also those that it has inherited: all are reaped,
// and of those that somebody asks for it is remembered how they ended.
//
// Threads: one, and no other reaper in the process.
#pragma once

#include <sys/types.h>
#include <sys/wait.h>

#include <map>
#include <optional>
#include <utility>

namespace dexlock {

class Children {
 public:
  void expect(pid_t pid) { ended_.emplace(pid, std::nullopt); }
  [[nodiscard]] bool expects(pid_t pid) const { return ended_.contains(pid); }
  void forget(pid_t pid) { ended_.erase(pid); }

  // As waitpid tells it, once it has ended.
  [[nodiscard]] std::optional<int> status_of(pid_t pid) {
    int status = 0;
    for (pid_t ended = 0; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (const auto expected = ended_.find(ended); expected != ended_.end()) {
        expected->second = status;
      }
    }
    const auto found = ended_.find(pid);
    return found == ended_.end() ? std::nullopt : found->second;
  }

 private:
  std::map<pid_t, std::optional<int>> ended_;
};

}  // namespace dexlock
