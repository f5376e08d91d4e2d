// The guard's end of the connection with the supervisor of its package: whoever called last is it.
//
// Threads: one.
#pragma once

#include <chrono>
#include <functional>
#include <utility>

#include "failover/guard_message.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

class SupervisorLine {
 public:
  explicit SupervisorLine(UniqueFd listener);

  void accept();
  // Calls `obey` for all that it has said; that may hang up.
  void hear(const std::function<void(const Words&)>& obey);
  // It may be slow; one that reads nothing for so long that the socket is full is as good as gone.
  void tell(const Words& words);
  void greet(const Words& words);  // nothing is told before
  void hang_up() { socket_.reset(); }

  [[nodiscard]] bool connected() const { return socket_.get() >= 0; }
  // Connected, or expected for the first time, and not silent for too long.
  [[nodiscard]] bool lives() const;

  [[nodiscard]] int listener_fd() const { return listener_.get(); }
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  UniqueFd listener_;
  UniqueFd socket_;
  bool awaits_first_ = true;
  bool greeted_ = false;
  std::chrono::nanoseconds heard_at_;
};

}  // namespace dexlock
