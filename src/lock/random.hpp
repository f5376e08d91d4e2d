// A small random sequence with a seed from outside: the same seed, the same run [SplitMix64, Steele
// et al. 2014]. For back-off and for telling operations apart; nothing secret depends on it.
//
// Threads: none.
#pragma once

#include <cstdint>

#include "lock/invariant.hpp"

namespace dexlock {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }

  // 0 to bound-1. The bias of the remainder is below 2^-32 for the small bounds in use.
  std::uint64_t below(std::uint64_t bound) {
    INVARIANT(bound > 0);
    return next() % bound;
  }

 private:
  std::uint64_t state_;
};

}  // namespace dexlock
