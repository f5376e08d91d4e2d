// What clocks a host of the simulated world has: drawn when it is made, booted or slewed.
//
// Threads: pure but for the random numbers of the surroundings.
#pragma once

#include "lock/instant.hpp"
#include "sim/fake_clock.hpp"
#include "sim/surroundings.hpp"

namespace dexlock::sim {

// How fast its clocks run, by the clock faults of this run's mix.
ClockRates draw_rates(Surroundings& around);

// What its clocks show just after a boot.
Instant draw_uptime(Surroundings& around);

}  // namespace dexlock::sim
