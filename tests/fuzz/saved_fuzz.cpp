// What an owner keeps between its calls: one text for each value, and every lease in it can be
// computed with at any moment of any clock.
#include "fuzz/fuzz.hpp"
#include "lease/belief.hpp"
#include "session/saved.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  const auto saved = parse_saved(text);
  if (!saved) {
    return;
  }
  INVARIANT(saved_text(*saved) == text);
  const Belief belief(saved->start, saved->lease);
  const Nanoseconds late = std::chrono::hours(24 * 365 * 100);
  INVARIANT(!belief.holds({saved->start.boot + saved->lease, Nanoseconds(0)}));
  static_cast<void>(belief.holds({Nanoseconds(0), Nanoseconds(0)}));
  static_cast<void>(belief.holds({late, late}));
}
