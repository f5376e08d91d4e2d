#include "sim/exhaust_search.hpp"

#include <algorithm>
#include <utility>

#include "lock/invariant.hpp"

namespace dexlock::sim {
namespace {

struct Hash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend bool operator==(const Hash&, const Hash&) = default;
};

std::uint64_t mixed(std::uint64_t x) {  // the finaliser of SplitMix64
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

Hash hash_of(const Packed& state) {
  Hash hash{0x9E3779B97F4A7C15U + state.size(), 0xC2B2AE3D27D4EB4FU};
  for (const std::uint32_t word : state) {
    hash.high = mixed(hash.high ^ word);
    hash.low = mixed(hash.low + 0x9E3779B97F4A7C15U * (std::uint64_t{word} + 1));
  }
  return hash;
}

// The states met so far, numbered in the order of meeting, each with the one it was met from.
class Visited {
 public:
  Visited() : table_(kFirstSlots, kEmpty) {}

  // False: known already.
  bool add(const Hash& hash, std::uint32_t parent) {
    if ((hashes_.size() + 1) * 2 > table_.size()) {
      grow();
    }
    std::uint32_t& slot = find(hash);
    if (slot != kEmpty) {
      return false;
    }
    slot = static_cast<std::uint32_t>(hashes_.size());
    hashes_.push_back(hash);
    parents_.push_back(parent);
    return true;
  }

  [[nodiscard]] std::uint64_t size() const { return hashes_.size(); }
  [[nodiscard]] const Hash& hash(std::uint32_t number) const { return hashes_[number]; }

  // From the first state to `number`.
  [[nodiscard]] std::vector<std::uint32_t> path(std::uint32_t number) const {
    std::vector<std::uint32_t> path{number};
    while (path.back() != 0) {
      path.push_back(parents_[path.back()]);
    }
    std::ranges::reverse(path);
    return path;
  }

 private:
  static constexpr std::uint32_t kEmpty = UINT32_MAX;
  static constexpr std::size_t kFirstSlots = std::size_t{1} << 16;

  std::uint32_t& find(const Hash& hash) {
    std::size_t at = hash.low & (table_.size() - 1);
    while (table_[at] != kEmpty && !(hashes_[table_[at]] == hash)) {
      at = (at + 1) & (table_.size() - 1);
    }
    return table_[at];
  }

  void grow() {
    table_.assign(table_.size() * 2, kEmpty);
    for (std::uint32_t i = 0; i < hashes_.size(); ++i) {
      find(hashes_[i]) = i;
    }
  }

  std::vector<std::uint32_t> table_;
  std::vector<Hash> hashes_;
  std::vector<std::uint32_t> parents_;
};

// Walks the path once more without renaming anything, so that a server keeps its number.
std::vector<std::string> trace_of(StateSpace& space, const Visited& visited,
                                  const std::vector<std::uint32_t>& path, std::size_t last) {
  std::vector<std::string> trace;
  Packed state = space.initial();
  for (std::size_t i = 1; i < path.size(); ++i) {
    std::vector<Move> moves;
    space.expand(state, true, moves);
    const auto taken = std::ranges::find_if(moves, [&](const Move& move) {
      return hash_of(space.canonical(move.next)) == visited.hash(path[i]);
    });
    INVARIANT(taken != moves.end());
    trace.push_back(taken->text);
    state = taken->next;
  }
  std::vector<Move> moves;
  space.expand(state, true, moves);
  const auto wrong = std::ranges::find_if(moves, [](const Move& m) { return !m.finding.empty(); });
  INVARIANT(wrong != moves.end());
  INVARIANT(last < moves.size());
  trace.push_back(wrong->text);
  return trace;
}

}  // namespace

SearchReport search(StateSpace& space, const SearchLimits& limits) {
  SearchReport report;
  Visited visited;
  std::vector<std::pair<std::uint32_t, Packed>> frontier;
  std::vector<std::pair<std::uint32_t, Packed>> next;
  std::vector<Move> moves;
  frontier.emplace_back(0, space.canonical(space.initial()));
  visited.add(hash_of(frontier.front().second), 0);
  while (!frontier.empty()) {
    for (const auto& [number, state] : frontier) {
      moves.clear();
      space.expand(state, false, moves);
      report.transitions += moves.size();
      for (std::size_t i = 0; i < moves.size(); ++i) {
        if (!moves[i].finding.empty()) {
          report.states = visited.size();
          report.finding = moves[i].finding;
          report.trace = trace_of(space, visited, visited.path(number), i);
          return report;
        }
        Packed met = space.canonical(moves[i].next);
        const auto fresh = static_cast<std::uint32_t>(visited.size());
        if (visited.add(hash_of(met), number)) {
          next.emplace_back(fresh, std::move(met));
        }
      }
      if (visited.size() > limits.states) {
        report.states = visited.size();
        return report;
      }
    }
    frontier.swap(next);
    next.clear();
    report.depth += frontier.empty() ? 0U : 1U;
    if (limits.progress) {
      limits.progress(visited.size(), report.depth);
    }
  }
  report.states = visited.size();
  report.exhausted = true;
  return report;
}

}  // namespace dexlock::sim
