// The clock that runs through suspend: CLOCK_BOOTTIME.
//
// Threads: any.
#pragma once

#include <chrono>
#include <ctime>

namespace dexlock {

[[nodiscard]] inline std::chrono::nanoseconds boot_time() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace dexlock
