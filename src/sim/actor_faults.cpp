// What befalls a client: pauses, suspends, clocks that are slewed, death, reboots.
#include <algorithm>
#include <utility>

#include "sim/actor.hpp"
#include "sim/draw.hpp"
#include "sim/draw_clock.hpp"
#include "sim/etcd_cluster.hpp"

namespace dexlock::sim {

void Actor::pause(bool work_goes_on) {
  if (paused_) {
    return;
  }
  note(work_goes_on ? "is paused, its work goes on" : "is paused with its work");
  around_.counts.add(Seen::pauses);
  paused_ = true;
  paused_at_ = clock_now();
  work_.frozen = work_.on && !work_goes_on;
}

void Actor::go_on() {
  if (!paused_ || suspended_) {
    return;
  }
  note("goes on");
  paused_ = false;
  const bool stale = around_.planted(Plant::clock_not_read_after_pause);
  work_.frozen = false;
  if (!stale) {
    guard();
  }
  check_hold();
  auto inbox = std::exchange(inbox_, {});
  const bool timers_first = !stale && happens(around_.random, 500'000);
  if (timers_first) {
    process_timers();
  }
  for (const Arrived& arrived : inbox) {
    if (!paused_) {
      hear(arrived);
    }
  }
  if (around_.etcd != nullptr && !paused_) {
    around_.etcd->go_on(index_);
  }
  armed_.reset();
  arm();
}

void Actor::suspend() {
  if (suspended_ || paused_) {
    return;
  }
  pause(false);
  around_.counts.add(Seen::suspends);
  suspended_ = true;
  ClockRates rates = clock_.rates();
  rates.raw_runs = false;
  rates.boot_runs =
      !around_.planted(Plant::clock_stops_in_suspend) &&
      (around_.mix.clocks != ClockFaults::unbounded || happens(around_.random, 500'000));
  clock_.change(around_.now(), rates);
}

void Actor::wake_up() {
  if (!suspended_) {
    return;
  }
  ClockRates rates = clock_.rates();
  rates.raw_runs = rates.boot_runs = true;
  clock_.change(around_.now(), rates);
  suspended_ = false;
  go_on();
}

void Actor::slew() {
  ClockRates rates = draw_rates(around_);
  const ClockRates before = clock_.rates();
  rates.boot_runs = before.boot_runs;
  rates.raw_runs = before.raw_runs;
  clock_.change(around_.now(), rates);
  if (around_.mix.clocks == ClockFaults::unbounded && happens(around_.random, 300'000)) {
    around_.counts.add(Seen::clock_jumps);
    clock_.jump(around_.now(),
                between(around_.random, Nanoseconds(1), Nanoseconds(terms_.lease) * 4));
  }
  armed_.reset();
  arm();
}

void Actor::kill() {
  note("is killed");
  around_.counts.add(Seen::kills);
  end_process();
  inbox_.clear();
  if (!happens(around_.random, around_.mix.orphaned_work)) {
    end_work();
  }
  on_killed();
  arm();
}

void Actor::reboot() {
  note("reboots");
  around_.counts.add(Seen::reboots);
  end_process();
  inbox_.clear();
  end_work();
  work_.frozen = false;
  paused_ = suspended_ = false;
  clock_.restart(around_.now(), draw_uptime(around_), draw_rates(around_));
  on_rebooted();
  armed_.reset();
  arm();
}

void Actor::heal() {
  wake_up();
  go_on();
  on_healed();
  armed_.reset();
  arm();
}

}  // namespace dexlock::sim
