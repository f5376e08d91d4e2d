// What the calls of one host share of what they saw: one text for each value, and every sighting
// can be computed with.
#include "client/host_memory.hpp"
#include "fuzz/fuzz.hpp"
#include "lease/timing.hpp"
#include "lock/fields.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  const auto seen = parse_seen(text);
  if (!seen) {
    return;
  }
  INVARIANT(seen_text(*seen) == text);
  const Terms longest{std::chrono::milliseconds(kSmallNumberMax),
                      std::chrono::milliseconds(kSmallNumberMax),
                      {},
                      kDriftPpmMax};
  const ObservationTimes needed{.claimed = observation_time(longest, true, kDriftPpm),
                                .unclaimed = observation_time(longest, false, kDriftPpm)};
  for (const SeenLock::Sight& sight : seen->sights) {
    Observer observer(sight.grant, 1);
    observer.recall(0, sight.sighting);
    INVARIANT(!observer.ready(needed, {}).has_value());
    INVARIANT(observer.wait_left(needed, {}) >= needed.unclaimed);
  }
}
