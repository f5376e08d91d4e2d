// What happens next in the simulated world: true time jumps from event to event.
//
// Invariants:  events come out in the order of their moments, equal moments in the order in which
//              they were put in, so that one seed is one run.
// Threads:     none.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "lock/instant.hpp"
#include "lock/invariant.hpp"

namespace dexlock::sim {

enum class EventKind : std::uint32_t { deliver, actor_timer, fault, repair, heal, etcd };

struct SimEvent {
  Nanoseconds at{};
  std::uint64_t order = 0;
  EventKind kind = EventKind::deliver;
  std::uint32_t what = 0;  // packet, actor, fault, repair or what happens at etcd
  friend bool operator>(const SimEvent& a, const SimEvent& b) {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }
};

class Schedule {
 public:
  [[nodiscard]] Nanoseconds now() const { return now_; }
  [[nodiscard]] std::uint64_t done() const { return done_; }
  [[nodiscard]] bool empty() const { return events_.empty(); }

  void add(Nanoseconds at, EventKind kind, std::uint32_t what) {
    INVARIANT(at >= now_);
    events_.push(SimEvent{at, ++order_, kind, what});
  }

  SimEvent take() {
    const SimEvent next = events_.top();
    events_.pop();
    now_ = next.at;
    ++done_;
    return next;
  }

 private:
  Nanoseconds now_{};
  std::uint64_t order_ = 0;
  std::uint64_t done_ = 0;
  std::priority_queue<SimEvent, std::vector<SimEvent>, std::greater<>> events_;
};

}  // namespace dexlock::sim
