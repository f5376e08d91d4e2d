// Reads all of an environment once, to find damage before it is needed.
//
// Threads:     any; forks. Never does: crashes on damaged pages itself.
#pragma once

#include <chrono>
#include <vector>

#include "dexlock/error.hpp"
#include "store/lmdb_env.hpp"
#include "store/write_turn.hpp"

namespace dexlock {

// How long reading a store may take; one that takes longer has a failing disk or does not belong
// here.
inline constexpr std::chrono::minutes kCheckTimeMax{5};

// store_damaged, naming the data file and what to do, unless all of each environment can be read.
// Takes the turn (for at most `wait`) for the beginning only, so nobody waits for the reading.
[[nodiscard]] Result<void> check_readable(WriteTurn& turn, std::chrono::milliseconds wait,
                                          const std::vector<LmdbEnv*>& envs);

}  // namespace dexlock
