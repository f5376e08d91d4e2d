// What shapes a run in which the lock servers are one etcd cluster.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "sim/mix.hpp"

namespace dexlock::sim {

// Turns a mix into one with an etcd cluster; drawn apart, so that all else stays as it is.
void draw_etcd(Mix& mix, std::uint64_t seed, Plant plant);

// After an operator has removed the record, so long until what is left of its holders goes too.
[[nodiscard]] Nanoseconds record_gone_for(const Mix& mix);

[[nodiscard]] std::string etcd_text(const Mix& mix);

}  // namespace dexlock::sim
