// What every part of one forming world shares: the schedule, the one source of randomness, the
// judge. Nothing here outlives the run.
//
// Threads: none.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "lock/random.hpp"
#include "sim/counts.hpp"
#include "sim/draw.hpp"
#include "sim/finding.hpp"
#include "sim/forming_judge.hpp"
#include "sim/forming_mix.hpp"
#include "sim/log.hpp"
#include "sim/plant.hpp"
#include "sim/schedule.hpp"

namespace dexlock::sim {

struct FormingAround {
  const FormingMix& mix;
  Plant plant = Plant::none;
  Random random;
  Log log;
  Schedule schedule;
  Counts counts;
  Findings findings;
  FormingJudge judge;
  bool healed = false;
  std::vector<std::function<void()>> actions;  // empty once done

  FormingAround(const FormingMix& the_mix, Plant the_plant, std::uint64_t seed, bool tracing)
      : mix(the_mix), plant(the_plant), random(seed), log(tracing), judge(findings) {
    findings.hear_only(the_mix.only_judge);
  }
  FormingAround(const FormingAround&) = delete;
  FormingAround& operator=(const FormingAround&) = delete;

  [[nodiscard]] Nanoseconds now() const { return schedule.now(); }
  [[nodiscard]] bool planted(Plant which) const { return plant == which; }

  void after(Nanoseconds span, std::function<void()> action) {
    actions.push_back(std::move(action));
    schedule.add(now() + span, EventKind::repair, static_cast<std::uint32_t>(actions.size() - 1));
  }

  void note(const std::string& who, const std::string& text) {
    if (log.tracing()) {
      log.line(now(), who + ' ' + text);
    }
  }
};

}  // namespace dexlock::sim
