#include "system/duration_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "lock/quoted_text.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

// Digits behind the point that are counted: 10 of them times a day in ms stay below 2^63.
constexpr std::size_t kFractionDigitsMax = 10;
constexpr std::uint64_t kDayMs = 86'400'000;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view take_digits(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
  const auto count = static_cast<std::size_t>(end - text.begin());
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

std::optional<std::uint64_t> unit_ms(std::string_view unit) {
  struct Unit {
    std::string_view text;
    std::uint64_t ms;
  };
  static constexpr std::array<Unit, 6> kUnits{
      {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", kDayMs}}};
  const auto* const found = std::ranges::find(kUnits, unit, &Unit::text);
  return found == kUnits.end() ? std::nullopt : std::optional(found->ms);
}

// Larger than any duration in any unit once the value is: no overflow, however many digits follow.
std::uint64_t saturated_number(std::string_view digits) {
  constexpr auto kTooMany = static_cast<std::uint64_t>(kDurationMax.count()) + 1;
  std::uint64_t value = 0;
  for (const char c : digits) {
    value = std::min(value * 10 + static_cast<std::uint64_t>(c - '0'), kTooMany);
  }
  return value;
}

// `digits` stand behind the point; the result is rounded to the nearest millisecond.
std::uint64_t fraction_ms(std::string_view digits, std::uint64_t unit) {
  std::uint64_t value = 0;
  std::uint64_t scale = 1;
  for (const char c : digits.substr(0, kFractionDigitsMax)) {
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
    scale *= 10;
  }
  return (value * unit + scale / 2) / scale;
}

bool has_nonzero(std::string_view digits) {
  return digits.find_first_not_of('0') != std::string_view::npos;
}

}  // namespace

Result<milliseconds> parse_duration(std::string_view text, DurationLimits limits,
                                    std::string_view what) {
  const auto refuse = [&](std::string_view why) {
    return fail(Errc::bad_argument, fmt::format("{} {}: {}", what, quoted_text(text), why));
  };
  constexpr std::string_view kHow =
      "not a duration; write seconds like 30 or 2.5, or 500ms, 30s, 2m, 1h, 1d";
  std::string_view rest = text;
  const std::string_view whole = take_digits(rest);
  std::string_view fraction;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    fraction = take_digits(rest);
    if (fraction.empty()) {
      return refuse(kHow);
    }
  }
  const auto unit = unit_ms(rest);
  if ((whole.empty() && fraction.empty()) || !unit) {
    return refuse(kHow);
  }
  const milliseconds max = std::min(limits.max, kDurationMax);
  // Both factors are bounded (2^31 and a day in ms), so the product cannot overflow.
  const std::uint64_t ms = saturated_number(whole) * *unit + fraction_ms(fraction, *unit);
  if (ms > static_cast<std::uint64_t>(kDurationMax.count()) || milliseconds(ms) > max) {
    return refuse("too long; at most " + duration_text(max));
  }
  if (ms == 0 && (has_nonzero(whole) || has_nonzero(fraction))) {
    return refuse("shorter than a millisecond; write 0 or at least 1ms");
  }
  if (milliseconds(ms) < limits.min) {
    return refuse("too short; at least " + duration_text(limits.min));
  }
  return milliseconds(ms);
}

std::string duration_text(milliseconds duration) {
  const std::int64_t count = duration.count();
  // Negation in unsigned arithmetic: the most negative count has no positive twin.
  const std::uint64_t ms =
      count < 0 ? 0 - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
  const std::string sign = count < 0 ? "-" : "";
  if (ms > 0 && ms < 1000) {
    return fmt::format("{}{} ms", sign, ms);
  }
  const auto seconds_text = [](std::uint64_t part) {
    std::string text = fmt::format("{}.{:03}", part / 1000, part % 1000);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) {
      text.pop_back();
    }
    return text + " s";
  };
  if (ms < 120'000 && ms != 60'000) {
    return sign + seconds_text(ms);
  }
  std::string out = sign;
  const auto append = [&](std::string_view part) {
    out += (out == sign ? "" : " ");
    out += part;
  };
  if (ms >= kDayMs) {
    append(fmt::format("{} d", ms / kDayMs));
  }
  if (ms % kDayMs >= 3'600'000) {
    append(fmt::format("{} h", ms % kDayMs / 3'600'000));
  }
  if (ms % 3'600'000 >= 60'000) {
    append(fmt::format("{} min", ms % 3'600'000 / 60'000));
  }
  if (ms % 60'000 != 0) {
    append(seconds_text(ms % 60'000));
  }
  return out;
}

}  // namespace dexlock
