// Exhaustive search: every state that any order of moves can reach, breadth first, so that the
// trace to a finding is a shortest one.
//
// States are kept as 128-bit hashes of their canonical form: among 10^8 states the chance that two
// share one, and part of the space is missed, is below 10^-22.
//
// Threads: none.      Never does: print, read a clock.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace dexlock::sim {

using Packed = std::vector<std::uint32_t>;

struct Move {
  Packed next;
  std::string text;     // only where it was asked for
  std::string finding;  // what this move violates; empty: nothing
};

class StateSpace {
 public:
  StateSpace() = default;
  StateSpace(const StateSpace&) = delete;
  StateSpace& operator=(const StateSpace&) = delete;
  virtual ~StateSpace() = default;

  [[nodiscard]] virtual Packed initial() = 0;
  // Appends every possible move from `state`, always in the same order. `texts`: say what they are.
  virtual void expand(const Packed& state, bool texts, std::vector<Move>& moves) = 0;
  // The same for states that differ only by names, the servers' for instance.
  [[nodiscard]] virtual Packed canonical(const Packed& state) const = 0;
};

struct SearchLimits {
  std::uint64_t states = 100'000'000;
  std::function<void(std::uint64_t states, std::uint64_t depth)> progress;  // after each depth
};

struct SearchReport {
  std::uint64_t states = 0;
  std::uint64_t transitions = 0;
  std::uint64_t depth = 0;
  bool exhausted = false;
  std::string finding;
  std::vector<std::string> trace;
};

[[nodiscard]] SearchReport search(StateSpace& space, const SearchLimits& limits);

}  // namespace dexlock::sim
