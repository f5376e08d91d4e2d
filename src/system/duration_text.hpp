// Durations as people write them: 30, 2.5, 500ms, 30s, 2m, 1h, 1d. Without a unit: seconds.
//
// Invariants:  whatever is accepted lies within the given limits and within 2^31-1 ms, and is zero
// only if
//              zero was written.
// Threads:     pure functions.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "dexlock/error.hpp"

namespace dexlock {

// Durations travel as milliseconds below 2^31.
inline constexpr std::chrono::milliseconds kDurationMax{2'147'483'647};

struct DurationLimits {
  std::chrono::milliseconds min{0};
  std::chrono::milliseconds max{kDurationMax};
};

// bad_argument for anything else, in one line that begins with `what` ("TIMEOUT", "--wait").
Result<std::chrono::milliseconds> parse_duration(std::string_view text, DurationLimits limits,
                                                 std::string_view what);

// For people: "0 s", "500 ms", "2.5 s", "2 min", "1 h 30 min".
std::string duration_text(std::chrono::milliseconds duration);

}  // namespace dexlock
