// The supervisor's end of the connection with the guard of its package: finds a guard that runs, or
// starts one.
//
// Threads: one. start() forks: what other threads do does not matter to the child.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "dexlock/error.hpp"
#include "failover/guard_message.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

// What a guard says of itself first.
struct GuardGreeting {
  std::string version;
  HeldLease lease;
  std::string mark;   // of the processes below it
  std::string group;  // their control group; empty: none
  bool busy = false;  // it is stopping the package on its own
};

class GuardLink {
 public:
  // To the guard that listens in `directory`, or a new one, which is started as `program` (words)
  // with its listener as descriptor 3, once `before_start` is well. held_by_other: one is there,
  // and has not answered within `patience`; io.
  [[nodiscard]] static Result<GuardLink> open(const std::filesystem::path& directory,
                                              const std::vector<std::string>& program,
                                              const std::string& version,
                                              std::chrono::milliseconds patience,
                                              const std::function<Result<void>()>& before_start);

  [[nodiscard]] const GuardGreeting& greeting() const { return greeting_; }
  [[nodiscard]] int fd() const { return socket_.get(); }
  // For one that does nothing any more.
  void kill() const;
  // Of one that is dying, at most for a while.
  void wait_for_end() const;

  void tell(const Words& words) const { static_cast<void>(send_words(socket_.get(), words)); }
  [[nodiscard]] Heard hear(Words& words) const { return receive_words(socket_.get(), words); }

 private:
  GuardLink() = default;

  UniqueFd socket_;
  UniqueFd process_;
  pid_t pid_ = 0;
  GuardGreeting greeting_;
};

}  // namespace dexlock
