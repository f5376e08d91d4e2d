// Judges the holds with the simulator's true time: work under a lock, or the belief to hold it,
// never goes on in two conflicting places at once ("holds"), and tokens rise in the order in which
// they are used ("tokens").
//
// Threads: none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lock/record.hpp"
#include "sim/finding.hpp"

namespace dexlock::sim {

// One place where work may go on.
struct Hold {
  std::string name;
  Mode mode = Mode::exclusive;
  std::uint32_t weight = 1;
  FencingToken token;
};

class HoldJudge {
 public:
  // `exclusion`: false where the clocks are so wrong that only tokens must be right.
  HoldJudge(std::size_t actors, std::uint32_t capacity, bool exclusion, Findings& findings);

  // Work (or belief) begins or goes on at `actor`; all others that hold now are in `others`.
  void check_beside(const Hold& mine, const std::vector<Hold>& others, Nanoseconds now);

  // The client of `actor` was told that it got `token`, having asked when `floor` was the highest
  // token that anybody had been told.
  void on_granted(std::size_t actor, const Hold& mine, FencingToken floor, Nanoseconds now);

  [[nodiscard]] FencingToken highest_told() const { return highest_told_; }
  [[nodiscard]] std::uint64_t overlaps() const { return overlaps_; }

 private:
  std::uint32_t capacity_;
  bool exclusion_;
  Findings& findings_;
  std::vector<FencingToken> last_of_actor_;
  FencingToken highest_told_;
  FencingToken highest_exclusive_;
  std::uint64_t overlaps_ = 0;
};

}  // namespace dexlock::sim
