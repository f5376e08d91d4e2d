// What one simulated run came to.
//
// Threads: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/counts.hpp"
#include "sim/finding.hpp"

namespace dexlock::sim {

struct RunReport {
  std::optional<Finding> finding;
  Counts counts;
  std::uint64_t hash = 0;
  std::uint64_t last_draw = 0;
  Nanoseconds simulated{};
  Nanoseconds healed_in{};  // from the end of the faults until everybody was served
  Nanoseconds bound{};
  std::size_t largest_record = 0;
  std::vector<std::string> trace;
};

}  // namespace dexlock::sim
