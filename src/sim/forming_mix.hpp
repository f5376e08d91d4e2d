// What shapes one run of a forming world, drawn from its seed: how many servers a list has, whether
// all clients have the same list or overlapping ones, which faults there are and how often.
//
// Threads: plain values and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "lock/instant.hpp"
#include "sim/mix.hpp"

namespace dexlock::sim {

// Chances are in parts per million; an `every` of zero means never.
struct FormingMix {
  std::size_t listed = 3;   // servers in a list
  std::size_t shifted = 0;  // every second client lists so many others; 0: all list the same
  std::size_t clients = 3;
  Nanoseconds faulty{};
  Nanoseconds begin_max{};  // clients begin within that time

  Nanoseconds delay_max{};
  std::uint32_t slow_message = 0;
  Nanoseconds slow_max{};
  std::uint32_t lose = 0;
  Nanoseconds patience{};  // then a server that does not answer is down for the client
  Nanoseconds poll{};

  Nanoseconds wipe_every{};
  Nanoseconds crash_every{};
  Nanoseconds kill_every{};
  Nanoseconds down_max{};
  std::uint32_t crash_in_write = 0;
  std::uint32_t forgetful = 0;  // a new process finds no memory of its host

  std::string only_judge;

  [[nodiscard]] std::size_t servers() const { return listed + shifted; }
};

// Every tenth seed is a run of a forming world; so is every seed with an error of its own planted.
[[nodiscard]] bool is_forming_seed(std::uint64_t seed, const MixLimits& limits);

[[nodiscard]] FormingMix draw_forming_mix(std::uint64_t seed, const MixLimits& limits);

[[nodiscard]] std::string forming_mix_text(const FormingMix& mix);

}  // namespace dexlock::sim
