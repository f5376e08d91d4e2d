#include "lease/observer.hpp"

#include <algorithm>

#include "lock/invariant.hpp"
#include "lock/quorum.hpp"

namespace dexlock {

void Observer::saw(std::size_t server, std::uint32_t beat, const BootId& boot, Instant now) {
  INVARIANT(server < seen_.size());
  auto& seen = seen_[server];
  if (!seen || seen->beat != beat || seen->boot != boot) {
    seen = Sighting{beat, boot, now};
  }
}

void Observer::recall(std::size_t server, const Sighting& sighting) {
  INVARIANT(server < seen_.size());
  if (!seen_[server]) {
    seen_[server] = sighting;
  }
}

std::optional<EvictionBasis> Observer::ready(Nanoseconds needed, Instant now) const {
  EvictionBasis basis{.victim = victim_};
  std::size_t unchanged = 0;
  for (const auto& seen : seen_) {
    if (!seen || elapsed_for_observer(seen->since, now) < needed) {
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

std::optional<Nanoseconds> Observer::wait_left(Nanoseconds needed, Instant now) const {
  std::vector<Nanoseconds> left;
  for (const auto& seen : seen_) {
    if (seen) {
      left.push_back(std::max(needed - elapsed_for_observer(seen->since, now), Nanoseconds(0)));
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
