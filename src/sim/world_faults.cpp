// What goes wrong in a simulated world, when, for how long, and how it is repaired.
#include <algorithm>
#include <utility>

#include "sim/draw.hpp"
#include "sim/world.hpp"

namespace dexlock::sim {

Nanoseconds World::every(FaultKind kind) const {
  switch (kind) {
    case FaultKind::cut:
      return mix_.cut_every;
    case FaultKind::machine_crash:
      return mix_.machine_crash_every;
    case FaultKind::process_restart:
      return mix_.process_restart_every;
    case FaultKind::full:
      return mix_.full_every;
    case FaultKind::kill:
      return mix_.kill_every;
    case FaultKind::pause:
      return mix_.pause_every;
    case FaultKind::reboot:
      return mix_.reboot_every;
    case FaultKind::suspend:
      return mix_.suspend_every;
    case FaultKind::slew:
      return mix_.clocks == ClockFaults::slew || mix_.clocks == ClockFaults::unbounded
                 ? Nanoseconds(mix_.lease)
                 : Nanoseconds(0);
    case FaultKind::restore:
      return mix_.restore_every;
    case FaultKind::remove:
      return mix_.remove_every;
    case FaultKind::count:
      break;
  }
  return Nanoseconds(0);
}

void World::plan(FaultKind kind) {
  const Nanoseconds mean = every(kind);
  if (mean.count() > 0) {
    around_.schedule.add(around_.now() + between(around_.random, Nanoseconds(1000), 2 * mean),
                         EventKind::fault, static_cast<std::uint32_t>(kind));
  }
}

void World::repair_later(Nanoseconds longest, std::function<void()> repair) {
  repairs_.push_back(std::move(repair));
  const auto which = static_cast<std::uint32_t>(repairs_.size() - 1);
  around_.schedule.add(
      around_.now() + between(around_.random, std::chrono::milliseconds(1), longest),
      EventKind::repair, which);
}

void World::strike(FaultKind kind) {
  switch (kind) {
    case FaultKind::cut:
      cut_somewhere();
      break;
    case FaultKind::machine_crash:
    case FaultKind::process_restart:
    case FaultKind::full:
    case FaultKind::restore:
    case FaultKind::remove:
      etcd_ ? strike_etcd(kind) : strike_server(kind);
      break;
    case FaultKind::kill:
      any_actor().kill();
      break;
    case FaultKind::pause:
      pause_somebody();
      break;
    case FaultKind::reboot:
      any_actor().reboot();
      break;
    case FaultKind::suspend: {
      Actor& actor = any_actor();
      actor.suspend();
      repair_later(mix_.pause_max, [&actor] { actor.wake_up(); });
      break;
    }
    case FaultKind::slew:
      any_actor().slew();
      break;
    case FaultKind::count:
      break;
  }
}

void World::strike_server(FaultKind kind) {
  if (kind == FaultKind::full) {
    fill_disk();
  } else {
    crash_server(kind == FaultKind::machine_crash);
  }
}

void World::strike_etcd(FaultKind kind) {
  if (kind == FaultKind::machine_crash) {
    etcd_->crash_member();
  } else if (kind == FaultKind::process_restart) {
    etcd_->change_leader();
  } else if (kind == FaultKind::full) {
    etcd_->raise_alarm();
  } else if (kind == FaultKind::remove) {
    etcd_->remove_record();
  } else if (!around_.ends_at) {
    etcd_->restore();
  }
}

// One client from some servers, one server from some clients, or a random half of all links; both
// ways or one.
void World::cut_somewhere() {
  around_.counts.add(Seen::cuts);
  const std::uint64_t shape = around_.random.below(3);
  const std::size_t actor = around_.random.below(mix_.clients);
  const std::size_t server = around_.random.below(mix_.places());
  const std::uint64_t ways = around_.random.below(3);
  const std::uint32_t share = between(around_.random, 300'000U, 1'000'000U);
  struct Cut {
    std::size_t actor;
    std::size_t server;
  };
  std::vector<Cut> cuts;
  for (std::size_t a = 0; a < mix_.clients; ++a) {
    for (std::size_t s = 0; s < mix_.places(); ++s) {
      const bool meant = shape == 0 ? a == actor : shape == 1 ? s == server : true;
      if (meant && happens(around_.random, shape == 2 ? share / 2 : share)) {
        cuts.push_back(Cut{a, s});
      }
    }
  }
  const auto apply_all = [this, cuts, ways](bool is_cut) {
    for (const Cut& each : cuts) {
      if (ways != 0) {
        network_.cut(each.actor, each.server, true, is_cut);
      }
      if (ways != 1) {
        network_.cut(each.actor, each.server, false, is_cut);
      }
    }
  };
  apply_all(true);
  repair_later(mix_.cut_max, [apply_all] { apply_all(false); });
}

void World::crash_server(bool machine) {
  const std::size_t index = around_.random.below(mix_.servers);
  FakeServer& server = *servers_[index];
  if (!server.up()) {
    return;
  }
  around_.counts.add(machine ? Seen::machine_crashes : Seen::process_restarts);
  if (around_.log.tracing()) {
    around_.log.line(around_.now(),
                     "s" + std::to_string(index) + (machine ? " loses power" : " is restarted"));
  }
  if (machine) {
    server.crash();
  }
  server.set_up(false);
  repair_later(mix_.down_max, [&server] { server.set_up(true); });
}

void World::fill_disk() {
  FakeServer& server = *servers_[around_.random.below(mix_.servers)];
  server.set_full(true);
  repair_later(mix_.down_max, [&server] { server.set_full(false); });
}

void World::pause_somebody() {
  Actor& actor = any_actor();
  if (actor.paused()) {
    return;
  }
  actor.pause(happens(around_.random, mix_.work_through_pause));
  repair_later(mix_.pause_max, [&actor] { actor.go_on(); });
}

void World::heal() {
  if (around_.log.tracing()) {
    around_.log.line(around_.now(), "everything heals");
  }
  around_.healed = true;
  network_.heal();
  for (auto& repair : repairs_) {
    if (auto now = std::exchange(repair, nullptr)) {
      now();
    }
  }
  for (auto& server : servers_) {
    server->set_up(true);
    server->set_full(false);
  }
  if (etcd_) {
    etcd_->heal();
  }
  for (Actor* actor : around_.actors) {
    actor->heal();
  }
}

}  // namespace dexlock::sim
