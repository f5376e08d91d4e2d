#include "sim/campaign.hpp"

#include <algorithm>

#include "sim/forming_world.hpp"
#include "sim/world.hpp"

namespace dexlock::sim {
namespace {

constexpr std::uint64_t kRepeatedOneIn = 19;  // no divisor in common with the forming seeds

}  // namespace

RunReport run_seed(std::uint64_t seed, const MixLimits& limits, bool tracing) {
  if (is_forming_seed(seed, limits)) {
    FormingWorld world(draw_forming_mix(seed, limits), seed, limits.plant, tracing);
    return world.run();
  }
  World world(draw_mix(seed, limits), seed, limits.plant, tracing);
  return world.run();
}

std::string seed_text(std::uint64_t seed, const MixLimits& limits) {
  return is_forming_seed(seed, limits) ? forming_mix_text(draw_forming_mix(seed, limits))
                                       : mix_text(draw_mix(seed, limits));
}

bool Campaign::run(std::uint64_t seed) {
  const RunReport report = run_seed(seed, limits_, false);
  ++runs_;
  simulated_ += report.simulated;
  counts_.add_all(report.counts);
  largest_record_ = std::max(largest_record_, report.largest_record);
  slowest_percent_ = std::max(
      slowest_percent_,
      static_cast<std::uint32_t>(report.healed_in / (report.bound / 100 + Nanoseconds(1))));
  finding_ = report.finding;
  if (!finding_ && seed % kRepeatedOneIn == 0) {
    ++repeated_;
    const RunReport again = run_seed(seed, limits_, false);
    if (again.hash != report.hash || again.last_draw != report.last_draw) {
      finding_ = Finding{"repetition", "the same seed gave another run", report.simulated};
    }
  }
  return !finding_;
}

void try_plant(Plant plant, std::uint64_t seed, PlantTrial& trial, const std::string& judge) {
  const MixLimits limits{.only_judge = judge, .plant = plant};
  const RunReport report = run_seed(seed, limits, false);
  ++trial.seeds;
  if (report.finding) {
    trial.caught = report.finding;
    trial.seed = seed;
  }
}

}  // namespace dexlock::sim
