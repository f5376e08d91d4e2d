#include "register/choose.hpp"

#include <algorithm>

#include "lock/invariant.hpp"
#include "lock/quorum.hpp"

namespace dexlock {

Record choose(const std::vector<State>& promises, std::size_t servers) {
  INVARIANT(promises.size() >= majority(servers));
  INVARIANT(promises.size() <= servers);
  const Ballot highest = std::ranges::max(promises, {}, &State::accepted).accepted;
  std::vector<const State*> top;
  for (const State& state : promises) {
    if (state.accepted == highest) {
      top.push_back(&state);
    }
  }
  if (highest.fast == 0) {
    return record_of(*top.front());
  }
  const auto votes = [&](const State* candidate) {
    return static_cast<std::size_t>(std::ranges::count_if(
        top, [&](const State* other) { return other->value == candidate->value; }));
  };
  const State* best = top.front();
  Ballot parent = highest;
  parent.fast = 0;
  for (const State* candidate : top) {
    const std::size_t unheard = servers - promises.size();
    if (candidate->copied || votes(candidate) + unheard >= fast_quorum(servers)) {
      return record_of(*candidate);
    }
    if (votes(candidate) > votes(best) ||
        (votes(candidate) == votes(best) && record_of(*candidate).op < record_of(*best).op)) {
      best = candidate;
    }
  }
  // None was chosen there, nor can be. What all of them were votes on is the better base: a vote
  // may be that of somebody who is gone.
  const auto unvoted = std::ranges::find(promises, parent, &State::accepted);
  return record_of(unvoted != promises.end() ? *unvoted : *best);
}

}  // namespace dexlock
