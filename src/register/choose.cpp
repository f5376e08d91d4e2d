#include "register/choose.hpp"

#include <algorithm>
#include <tuple>

#include "lock/invariant.hpp"
#include "lock/quorum.hpp"

namespace dexlock {

bool may_be_chosen(const std::vector<State>& states, const State& vote, std::size_t servers) {
  const auto votes = static_cast<std::size_t>(std::ranges::count_if(states, [&](const State& one) {
    return one.accepted == vote.accepted && one.value == vote.value;
  }));
  return votes + (servers - states.size()) >= fast_quorum(servers);
}

Record choose(const std::vector<State>& promises, std::size_t servers, const OpId& mine) {
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
  for (const State* candidate : top) {
    if (candidate->copied || may_be_chosen(promises, *candidate, servers)) {
      return record_of(*candidate);
    }
  }
  Ballot parent = highest;
  parent.fast = 0;
  if (const auto at = std::ranges::find(promises, parent, &State::accepted); at != promises.end()) {
    return record_of(*at);
  }
  const auto votes = [&](const State* one) {
    return std::ranges::count_if(top,
                                 [&](const State* other) { return other->value == one->value; });
  };
  const auto rank = [&](const State* one) {
    return std::tuple(record_of(*one).op != mine, -votes(one), record_of(*one).op);
  };
  return record_of(**std::ranges::min_element(top, {}, rank));
}

}  // namespace dexlock
