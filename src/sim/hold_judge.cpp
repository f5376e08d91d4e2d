#include "sim/hold_judge.hpp"

#include <algorithm>

namespace dexlock::sim {
namespace {

std::string text_of(const Hold& hold) {
  return hold.name + " (token " + std::to_string(hold.token.value) + ")";
}

}  // namespace

HoldJudge::HoldJudge(std::size_t actors, std::uint32_t capacity, bool exclusion, Findings& findings)
    : capacity_(capacity), exclusion_(exclusion), findings_(findings), last_of_actor_(actors) {}

void HoldJudge::check_beside(const Hold& mine, const std::vector<Hold>& others, Nanoseconds now) {
  std::uint64_t permits = mine.weight;
  bool overlap = false;
  std::string whom;
  for (const Hold& other : others) {
    if (other.mode == Mode::semaphore) {
      permits += other.weight;
    }
    const bool beside = other.mode == mine.mode && mine.mode != Mode::exclusive;
    if (!beside || (mine.mode == Mode::semaphore && permits > capacity_)) {
      overlap = true;
      whom += (whom.empty() ? "" : ", ") + text_of(other);
    }
  }
  if (!overlap) {
    return;
  }
  ++overlaps_;
  if (exclusion_) {
    findings_.add(now, "holds", text_of(mine) + " holds while " + whom + " holds too");
  }
}

void HoldJudge::on_granted(std::size_t actor, const Hold& mine, FencingToken floor,
                           Nanoseconds now) {
  if (mine.token <= floor) {
    findings_.add(
        now, "tokens",
        text_of(mine) + " asked after token " + std::to_string(floor.value) + " had been given");
  }
  if (mine.token <= last_of_actor_[actor]) {
    findings_.add(
        now, "tokens",
        text_of(mine) + " had token " + std::to_string(last_of_actor_[actor].value) + " before");
  }
  const FencingToken seen = mine.mode == Mode::exclusive ? highest_told_ : highest_exclusive_;
  if (exclusion_ && mine.mode != Mode::semaphore && mine.token <= seen) {
    findings_.add(
        now, "tokens",
        text_of(mine) + " begins after token " + std::to_string(seen.value) + " was in use");
  }
  last_of_actor_[actor] = mine.token;
  highest_told_ = std::max(highest_told_, mine.token);
  if (mine.mode == Mode::exclusive) {
    highest_exclusive_ = std::max(highest_exclusive_, mine.token);
  }
}

}  // namespace dexlock::sim
