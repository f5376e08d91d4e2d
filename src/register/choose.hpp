// Which value a proposer must build on, given a majority of promises.
//
// Threads: pure function.
#pragma once

#include <cstddef>
#include <vector>

#include "register/message.hpp"

namespace dexlock {

// The base for a new value: the one accepted at the highest ballot; among the votes of a fast
// ballot the only one that can have been chosen there [Lamport, Fast Paxos, 2.2]. If none can, what
// they were votes on, where a promise shows it, else any. Requires: `promises` of a majority of `servers` distinct servers.
[[nodiscard]] Record choose(const std::vector<State>& promises, std::size_t servers);

}  // namespace dexlock
