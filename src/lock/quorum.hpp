// How many servers of N make a quorum.
#pragma once

#include <cstddef>

namespace dexlock {

inline constexpr std::size_t kServersMax = 15;

// Any two majorities share a server; for an even N too.
[[nodiscard]] constexpr std::size_t majority(std::size_t servers) { return servers / 2 + 1; }

// A fast quorum: two of them and a majority always share a server [Lamport, Fast Paxos, 2.2].
[[nodiscard]] constexpr std::size_t fast_quorum(std::size_t servers) {
  return (2 * servers - majority(servers)) / 2 + 1;
}

static_assert(majority(1) == 1 && majority(2) == 2 && majority(3) == 2 && majority(4) == 3);
static_assert(fast_quorum(3) == 3 && fast_quorum(5) == 4 && fast_quorum(7) == 6);
static_assert(fast_quorum(9) == 7);

}  // namespace dexlock
