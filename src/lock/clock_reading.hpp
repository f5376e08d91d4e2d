// Readings of a clock in the texts that one process leaves for another.
//
// Invariants:  no sum or difference of an accepted reading and the longest lease overflows.
// Threads:     pure function.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "lock/fields.hpp"

namespace dexlock {

// 146 years after the boot. No clock has shown more, so it is damage.
inline constexpr std::uint64_t kClockReadingMax = std::uint64_t{1} << 62U;

[[nodiscard]] inline std::optional<std::chrono::nanoseconds> parse_clock_reading(
    std::string_view text) {
  const auto count = parse_number(text, kClockReadingMax);
  return count ? std::optional(std::chrono::nanoseconds(*count)) : std::nullopt;
}

}  // namespace dexlock
