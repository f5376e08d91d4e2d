// Durations: within the limits whatever was written, zero only for zero.
#include "fuzz/fuzz.hpp"
#include "system/duration_text.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  const DurationLimits limits{std::chrono::milliseconds(0), kDurationMax};
  const auto value = parse_duration(text, limits, "TIMEOUT");
  if (!value) {
    INVARIANT(value.error().code == Errc::bad_argument);
    INVARIANT(is_one_line(value.error().text));
    return;
  }
  INVARIANT(*value >= limits.min && *value <= limits.max);
  INVARIANT((value->count() == 0) == (text.find_first_of("123456789") == std::string_view::npos));
  INVARIANT(parse_duration(std::to_string(value->count()) + "ms", limits, "") == *value);
  INVARIANT(is_one_line(duration_text(*value)));
}
