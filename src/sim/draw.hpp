// Bounded draws of the simulator: whole numbers only, so that every library draws the same.
//
// Threads: pure but for the state of the Random passed in.
#pragma once

#include <cstdint>

#include "lock/instant.hpp"
#include "lock/random.hpp"

namespace dexlock::sim {

// Chances are in parts per million.
inline bool happens(Random& random, std::uint32_t per_million) {
  return per_million != 0 && random.below(1'000'000) < per_million;
}

// From `low` to `high`, both included.
inline Nanoseconds between(Random& random, Nanoseconds low, Nanoseconds high) {
  if (high <= low) {
    return low;
  }
  const auto span = static_cast<std::uint64_t>((high - low).count()) + 1;
  return low + Nanoseconds(static_cast<std::int64_t>(random.below(span)));
}

inline std::uint32_t between(Random& random, std::uint32_t low, std::uint32_t high) {
  return low + static_cast<std::uint32_t>(random.below(high - low + 1));
}

}  // namespace dexlock::sim
