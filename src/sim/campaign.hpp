// Many runs: adding up what happened, comparing a sample of runs with their repetition, and trying
// planted errors until a judge notices.
//
// Threads: none.      Never does: print, read a clock; who calls decides when to stop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sim/mix.hpp"
#include "sim/run_report.hpp"

namespace dexlock::sim {

// A world with a lock in it or, for some seeds, one in which groups are formed.
[[nodiscard]] RunReport run_seed(std::uint64_t seed, const MixLimits& limits, bool tracing);
[[nodiscard]] std::string seed_text(std::uint64_t seed, const MixLimits& limits);

class Campaign {
 public:
  explicit Campaign(const MixLimits& limits) : limits_(limits) {}

  // Runs `seed`; about every twentieth seed twice, which must come out the same. False on a
  // finding.
  bool run(std::uint64_t seed);

  [[nodiscard]] const std::optional<Finding>& finding() const { return finding_; }
  [[nodiscard]] std::uint64_t runs() const { return runs_; }
  [[nodiscard]] std::uint64_t repeated() const { return repeated_; }
  [[nodiscard]] Nanoseconds simulated() const { return simulated_; }
  [[nodiscard]] const Counts& counts() const { return counts_; }
  // The largest part of the bound on progress that any run used up.
  [[nodiscard]] std::uint32_t slowest_percent() const { return slowest_percent_; }
  [[nodiscard]] std::size_t largest_record() const { return largest_record_; }

 private:
  MixLimits limits_;
  std::optional<Finding> finding_;
  std::uint64_t runs_ = 0;
  std::uint64_t repeated_ = 0;
  Nanoseconds simulated_{};
  Counts counts_;
  std::uint32_t slowest_percent_ = 0;
  std::size_t largest_record_ = 0;
};

struct PlantTrial {
  std::optional<Finding> caught;
  std::uint64_t seeds = 0;  // tried, the catching one included
  std::uint64_t seed = 0;   // that caught it
};

// One more seed with the error planted, and only `judge` heard if one is named. Requires: not
// caught yet.
void try_plant(Plant plant, std::uint64_t seed, PlantTrial& trial, const std::string& judge = "");

}  // namespace dexlock::sim
