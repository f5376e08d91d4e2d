// Which value a proposer must build on, given a majority of promises.
//
// Threads: pure function.
#pragma once

#include <cstddef>
#include <vector>

#include "register/message.hpp"

namespace dexlock {

// The base for a new value: the one accepted at the highest ballot; among the votes of a fast
// ballot the only one that can have been chosen there [Lamport, Fast Paxos, 2.2]. If none can, any
// would do: what they were votes on, where a promise shows it, since a vote may be that of somebody
// who is gone; else that of `mine`. Requires: `promises` of a majority of `servers` distinct ones.
[[nodiscard]] Record choose(const std::vector<State>& promises, std::size_t servers,
                            const OpId& mine = {});

// True if, by what `states` of distinct servers show, a value of this fast ballot may be chosen
// there: by them and all the others.
[[nodiscard]] bool may_be_chosen(const std::vector<State>& states, const State& vote,
                                 std::size_t servers);

}  // namespace dexlock
