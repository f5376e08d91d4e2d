// The two clocks of this machine, read together.
//
// Threads: any.
#pragma once

#include <time.h>

#include "lock/instant.hpp"
#include "lock/invariant.hpp"

namespace dexlock {

[[nodiscard]] inline Nanoseconds read_clock(clockid_t clock) {
  timespec time{};
  INVARIANT(clock_gettime(clock, &time) == 0);
  return std::chrono::seconds(time.tv_sec) + Nanoseconds(time.tv_nsec);
}

[[nodiscard]] inline Instant now() {
  return Instant{read_clock(CLOCK_BOOTTIME), read_clock(CLOCK_MONOTONIC_RAW)};
}

}  // namespace dexlock
