#include "sim/draw_clock.hpp"

#include "lease/timing.hpp"
#include "sim/draw.hpp"

namespace dexlock::sim {

using std::chrono::seconds;

ClockRates draw_rates(Surroundings& around) {
  const auto within = [&](std::uint32_t ppm) {
    return static_cast<std::int64_t>(around.random.below(2 * std::uint64_t{ppm} + 1)) -
           std::int64_t{ppm};
  };
  switch (around.mix.clocks) {
    case ClockFaults::drift:
    case ClockFaults::suspend: {
      const std::int64_t both = happens(around.random, 300'000)   ? -std::int64_t{kDriftPpm}
                                : happens(around.random, 300'000) ? std::int64_t{kDriftPpm}
                                                                  : within(kDriftPpm);
      return ClockRates{.boot_ppm = both, .raw_ppm = both};
    }
    case ClockFaults::slew:
      return ClockRates{.boot_ppm = within(100'000), .raw_ppm = within(kDriftPpm)};
    case ClockFaults::unbounded:
      return ClockRates{.boot_ppm = within(500'000), .raw_ppm = within(500'000)};
  }
  return {};
}

Instant draw_uptime(Surroundings& around) {
  const Nanoseconds boot = between(around.random, seconds(1), seconds(100'000));
  return Instant{boot, between(around.random, Nanoseconds(0), boot)};
}

}  // namespace dexlock::sim
