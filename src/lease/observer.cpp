#include "lease/observer.hpp"

#include <algorithm>

#include "lock/invariant.hpp"
#include "lock/quorum.hpp"

namespace dexlock {

void Observer::saw(std::size_t server, std::uint32_t beat, const BootId& boot, bool whole,
                   Instant now) {
  INVARIANT(server < seen_.size());
  auto& seen = seen_[server];
  const bool same_boot = seen && seen->boot == boot;
  if (!same_boot || seen->beat != beat) {
    seen = Sighting{beat, boot, now, whole || (same_boot && seen->whole)};
  }
  seen->whole = seen->whole || whole;
}

void Observer::recall(std::size_t server, const Sighting& sighting) {
  INVARIANT(server < seen_.size());
  if (!seen_[server]) {
    seen_[server] = sighting;
  }
}

std::optional<EvictionBasis> Observer::ready(ObservationTimes times, Instant now) const {
  EvictionBasis basis{.victim = victim_};
  std::size_t unchanged = 0;
  for (const auto& seen : seen_) {
    if (!seen || elapsed_for_observer(seen->since, now) < times.needed(*seen)) {
      continue;
    }
    ++unchanged;
    basis.beat = std::max(basis.beat, seen->beat);
    if (std::ranges::find(basis.boots, seen->boot) == basis.boots.end()) {
      basis.boots.push_back(seen->boot);
    }
  }
  if (unchanged < majority(seen_.size())) {
    return std::nullopt;
  }
  return basis;
}

std::optional<Nanoseconds> Observer::wait_left(ObservationTimes times, Instant now) const {
  std::vector<Nanoseconds> left;
  for (const auto& seen : seen_) {
    if (seen) {
      const Nanoseconds so_far = elapsed_for_observer(seen->since, now);
      left.push_back(std::max(times.needed(*seen) - so_far, Nanoseconds(0)));
    }
  }
  const std::size_t quorum = majority(seen_.size());
  if (left.size() < quorum) {
    return std::nullopt;
  }
  std::ranges::sort(left);
  return left[quorum - 1];
}

}  // namespace dexlock
