// What every part of one simulated world shares: the schedule, the one source of randomness, the
// judges, and where messages go. Nothing here outlives the run, and no two runs share any of it.
//
// Threads: none.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "lock/random.hpp"
#include "sim/counts.hpp"
#include "sim/eviction_judge.hpp"
#include "sim/finding.hpp"
#include "sim/hold_judge.hpp"
#include "sim/linearizable_judge.hpp"
#include "sim/log.hpp"
#include "sim/mix.hpp"
#include "sim/plant.hpp"
#include "sim/queue_judge.hpp"
#include "sim/register_judge.hpp"
#include "sim/schedule.hpp"

namespace dexlock::sim {

class Actor;
class EtcdCluster;
class Network;

struct Surroundings {
  const Mix& mix;
  Plant plant = Plant::none;
  Schedule schedule;
  Random random;
  Log log;
  Counts counts;
  Findings findings;
  RegisterJudge registers;
  HoldJudge holds;
  EvictionJudge evictions;
  LinearizableJudge linearizable;
  QueueJudge queue;
  Network* network = nullptr;
  EtcdCluster* etcd = nullptr;  // the only server, where there is one
  std::vector<Actor*> actors;
  bool healed = false;
  std::optional<Nanoseconds> ends_at;  // without a look at who was served
  std::size_t damaged_servers = 0;     // that will never vote again

  Surroundings(const Mix& the_mix, Plant the_plant, std::uint64_t seed, bool tracing)
      : mix(the_mix),
        plant(the_plant),
        random(seed),
        log(tracing),
        registers(the_mix.servers, findings),
        holds(the_mix.clients, the_mix.capacity, the_mix.clocks != ClockFaults::unbounded,
              findings),
        evictions(the_mix.servers, findings),
        linearizable(findings),
        queue(the_mix.servers,
              {.asked = the_mix.calm && the_mix.queues && the_mix.modes == ModeKind::exclusive &&
                        the_mix.once_share == 0,
               .strict = !the_mix.sticky_promises,
               .lag = decision_lag(the_mix)},
              findings) {
    findings.hear_only(the_mix.only_judge);
  }
  Surroundings(const Surroundings&) = delete;
  Surroundings& operator=(const Surroundings&) = delete;

  [[nodiscard]] Nanoseconds now() const { return schedule.now(); }
  [[nodiscard]] bool planted(Plant which) const { return plant == which; }
};

}  // namespace dexlock::sim
