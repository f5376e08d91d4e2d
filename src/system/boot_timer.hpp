// A moment on the clock that runs through suspend, as a descriptor: a wait by poll's own limit
// stands still while the machine sleeps.
//
// Threads: one.
#pragma once

#include <sys/timerfd.h>

#include <algorithm>
#include <chrono>

#include "system/unique_fd.hpp"

namespace dexlock {

class BootTimer {
 public:
  BootTimer() : fd_(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {}

  // As boot_time() tells it; a moment that is over is now.
  void set(std::chrono::nanoseconds at) const {
    const auto when = std::max(at, std::chrono::nanoseconds(1));  // zero would be never
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(when);
    const itimerspec spec{
        .it_interval = {},
        .it_value = {.tv_sec = seconds.count(), .tv_nsec = (when - seconds).count()}};
    ::timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
  }

  // Readable from then on, until it is set again.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
};

}  // namespace dexlock
