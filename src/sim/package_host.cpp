#include "sim/package_host.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "sim/draw.hpp"

namespace dexlock::sim {
namespace {

constexpr std::array kGuardAims{"idle", "waiting", "holding", "at its will", "releasing", "done"};

}  // namespace

PackageHost::PackageHost(std::size_t index, Surroundings& around) : LeaseClient(index, around) {
  supervisor_at_ = between(around.random, kAtOnce, around.mix.think_max);
}

std::string PackageHost::state_text() const {
  return std::string(kGuardAims[static_cast<std::size_t>(aim_)]) + ", package " +
         (machine_ ? std::string(name_of(machine_->state())) : "without supervisor");
}

Nanoseconds PackageHost::share(std::int64_t of) const {
  return between(around_.random, kAtOnce, Nanoseconds(terms_.lease) / of);
}

bool PackageHost::goes_wrong() const { return !around_.healed && happens(around_.random, 200'000); }

// --- the supervisor

void PackageHost::begin_supervisor() {
  supervisor_at_.reset();
  const Nanoseconds lease(terms_.lease);
  const Nanoseconds now = around_.now();
  machine_.emplace(MachineSettings{.pace = std::max(lease / 5, kAtOnce),
                                   .start_timeout = lease,
                                   .migration_threshold = 1 + static_cast<int>(index_ % 2),
                                   .failure_timeout = lease,
                                   .can_fence = index_ % 3 == 0},
                   now);
  note("its supervisor begins");
  obey(machine_->wish(wish_, now));
  if (aim_ == Aim::holding || aim_ == Aim::will) {
    around_.counts.add(Seen::packages_found);
    const auto acts = machine_->granted(now);
    if (aim_ == Aim::holding) {
      obey(acts);
    } else {
      static_cast<void>(machine_->lost("without a supervisor for too long", now));
    }
  }
  const Nanoseconds every = around_.mix.kill_every;
  if (!around_.healed && every.count() > 0) {
    kill_at_ = now + between(around_.random, kAtOnce, every * 2);
  }
  if (!around_.healed) {
    wish_at_ = now + between(around_.random, kAtOnce, around_.mix.patience_max);
  }
}

void PackageHost::kill_supervisor() {
  note("its supervisor is killed");
  kill_at_.reset();
  wish_at_.reset();
  machine_.reset();
  doing_.reset();
  seek_at_.reset();
  emergency_ = false;
  alone_until_ = around_.now() + Nanoseconds(terms_.lease);
  supervisor_at_ = around_.now() + share(1) * 2;
  if (aim_ == Aim::waiting) {
    begin_release();
  }
}

void PackageHost::obey(const PackageMachine::Acts& acts) {
  for (const Act act : acts) {
    switch (act) {
      case Act::seek:
        seek();
        break;
      case Act::withdraw:
        seek_at_.reset();
        if (aim_ == Aim::waiting) {
          begin_release();
        }
        break;
      case Act::release:
        told_to_release_ = true;
        begin_release();
        break;
      case Act::probe:
      case Act::start:
      case Act::stop:
      case Act::kill:
      case Act::fence:
        begin(act);
        break;
    }
  }
  leave_once_served();
}

void PackageHost::begin(Act act) {
  doing_ = act;
  done_at_ = around_.now() + share(around_.healed ? 40 : 8);
  if (act == Act::start && aim_ == Aim::holding && session_ && session_->holds(clock_now()) &&
      elapsed_for_holder(work_.start, clock_now()) < ladder().signal_at) {
    around_.counts.add(Seen::packages_started);
    begin_work(session_->token());
  }
}

void PackageHost::finish(Act act) {
  doing_.reset();
  const Nanoseconds now = around_.now();
  switch (act) {
    case Act::probe:
      answer_look();
      break;
    case Act::start:
      obey(machine_->started(work_.on && !goes_wrong(), "start", now));
      break;
    case Act::stop:
    case Act::kill:
      answer_stop(!goes_wrong());
      break;
    case Act::fence:
      answer_stop(true);
      break;
    case Act::seek:
    case Act::withdraw:
    case Act::release:
      break;
  }
}

// A package that is up never looks down: no supervisor could help that.
void PackageHost::answer_look() {
  Health health = work_.on ? Health::up : Health::down;
  if (goes_wrong()) {
    constexpr std::array kIll{Health::degraded, Health::unclear, Health::critical};
    health = kIll[static_cast<std::size_t>(around_.random.below(kIll.size()))];
  }
  obey(machine_->probed(health, "look", around_.now()));
}

void PackageHost::answer_stop(bool done) {
  if (done && !around_.planted(Plant::package_stop_lies)) {
    end_work();
  }
  obey(machine_->stopped(done, "stop", around_.now()));
}

void PackageHost::change_wish() {
  wish_at_ = around_.now() + between(around_.random, kAtOnce, around_.mix.patience_max);
  wish_ = {.run = !happens(around_.random, 200'000),
           .elsewhere = happens(around_.random, 200'000),
           .maintenance = happens(around_.random, 100'000)};
  obey(machine_->wish(wish_, around_.now()));
}

// Since everything healed: it has run here, and is left to others.
void PackageHost::leave_once_served() {
  if (!around_.healed || !machine_ || aim_ == Aim::done) {
    return;
  }
  if (!wish_.leave && machine_->state() == PackageState::running && work_.on) {
    wish_.leave = true;
    obey(machine_->wish(wish_, around_.now()));
    return;
  }
  if (machine_->may_leave() && aim_ == Aim::idle) {
    aim_ = Aim::done;
    satisfied_ = true;
    end_process();
  }
}

// --- the guard

void PackageHost::seek() {
  if (aim_ != Aim::idle) {
    seek_soon();
    return;
  }
  seek_at_.reset();
  if (!session_) {
    start_process(fresh_client());
  }
  aim_ = Aim::waiting;
  ask();
}

void PackageHost::seek_soon() { seek_at_ = around_.now() + Nanoseconds(terms_.lease) / 20; }

void PackageHost::on_lost(const std::string& why) {
  if (aim_ == Aim::holding) {
    begin_will(why);
  } else if (aim_ == Aim::waiting) {
    begin_release();
  }
}

void PackageHost::on_granted(FencingToken) {
  if (!work_.on) {
    track_lease();
  }
  if (!session_ || !session_->belief() ||
      elapsed_for_holder(session_->belief()->start(), clock_now()) >= ladder().signal_at) {
    begin_release();  // too little of the lease is left to begin anything
    return;
  }
  aim_ = Aim::holding;
  track_lease();
  work_.limit = work_limit();
  renew_boot_ = work_.start.boot + work_.lease / 5;
  if (machine_) {
    obey(machine_->granted(around_.now()));
  }
}

void PackageHost::begin_will(const std::string& why) {
  aim_ = Aim::will;
  doing_.reset();
  note("its guard begins to stop the package: " + why);
  will_until_ = stop_end();
  if (machine_) {
    static_cast<void>(machine_->lost(why, around_.now()));
  }
}

void PackageHost::end_will() {
  end_work();
  begin_release();
  if (machine_) {
    obey(machine_->stopped(true, "", around_.now()));
  }
}

void PackageHost::begin_release() {
  aim_ = Aim::releasing;
  release_until_ = around_.now() + Nanoseconds(terms_.lease) * 2;
  if (!session_) {
    on_released();
    return;
  }
  release_session();
}

void PackageHost::on_released() {
  aim_ = Aim::idle;
  const bool told = std::exchange(told_to_release_, false);
  if (machine_ && told) {
    obey(machine_->released(around_.now()));
  }
  if (machine_ && machine_->seeks()) {
    seek_soon();
  }
  leave_once_served();
}

void PackageHost::guard_timers() {
  const Nanoseconds now = around_.now();
  if (aim_ == Aim::holding && elapsed_for_holder(work_.start, clock_now()) >= ladder().signal_at) {
    begin_will("no renewal in time");
  } else if (aim_ == Aim::holding && !machine_ && now >= alone_until_) {
    begin_will("no supervisor");
  } else if (aim_ == Aim::will && now >= will_until_) {
    end_will();
  } else if (aim_ == Aim::holding || aim_ == Aim::will) {
    if (clock_.when_boot_shows(renew_boot_, now) <= now) {
      renew();
    }
  } else if (aim_ == Aim::releasing && now >= release_until_) {
    end_process();
    on_released();
  }
}

std::optional<Nanoseconds> PackageHost::own_timer() const {
  if (aim_ == Aim::done) {
    return std::nullopt;
  }
  const Nanoseconds now = around_.now();
  std::optional<Nanoseconds> next;
  const auto consider = [&](std::optional<Nanoseconds> at) {
    next = at && (!next || *at < *next) ? at : next;
  };
  consider(supervisor_at_);
  consider(kill_at_);
  consider(wish_at_);
  consider(seek_at_);
  if (doing_ || emergency_) {
    consider(done_at_);
  }
  if (machine_) {
    consider(machine_->next_time());
  }
  if (aim_ == Aim::holding) {
    consider(true_moment(ladder().signal_at));
    consider(machine_ ? std::nullopt : std::optional(alone_until_));
  }
  if (aim_ == Aim::will) {
    consider(will_until_);
  }
  if (aim_ == Aim::holding || aim_ == Aim::will) {
    consider(clock_.when_boot_shows(renew_boot_, now));
  }
  if (aim_ == Aim::releasing) {
    consider(release_until_);
  }
  return next;
}

void PackageHost::on_own_timer() {
  const Nanoseconds now = around_.now();
  const auto due = [now](const std::optional<Nanoseconds>& at) { return at && now >= *at; };
  if (due(supervisor_at_)) {
    begin_supervisor();
  }
  if (due(kill_at_)) {
    kill_supervisor();
  }
  if (due(wish_at_)) {
    change_wish();
  }
  if (due(seek_at_)) {
    seek_at_.reset();
    if (machine_ && machine_->seeks()) {
      seek();
    }
  }
  if (emergency_ && now >= done_at_) {
    emergency_ = false;
    end_work();
    obey(machine_->stopped(true, "", now));
  }
  if (doing_ && now >= done_at_) {
    finish(*doing_);
  }
  if (machine_) {
    obey(machine_->tick(now));
  }
  guard_timers();
}

// The guard, and with it the session. What it has left up the supervisor stops.
void PackageHost::on_killed() {
  if (aim_ == Aim::done) {
    return;
  }
  aim_ = Aim::idle;
  told_to_release_ = false;
  doing_.reset();
  seek_at_.reset();
  if (!machine_) {
    return;
  }
  const Nanoseconds now = around_.now();
  if (machine_->state() == PackageState::standby) {
    if (machine_->seeks()) {
      seek_soon();
    }
    return;
  }
  static_cast<void>(machine_->lost("its guard was killed", now));
  emergency_ = true;
  done_at_ = now + share(8);
}

void PackageHost::on_rebooted() {
  if (aim_ == Aim::done) {
    return;
  }
  aim_ = Aim::idle;
  kill_supervisor();
}

void PackageHost::on_healed() {
  if (aim_ == Aim::done) {
    return;
  }
  kill_at_.reset();
  wish_at_.reset();
  wish_ = {};
  if (machine_) {
    obey(machine_->wish(wish_, around_.now()));
  } else {
    supervisor_at_ = around_.now();
  }
}

void PackageHost::on_work_stopped() {
  if (aim_ == Aim::holding) {
    begin_will("its time is over");
  }
  if (aim_ == Aim::will) {
    end_will();
  }
}

}  // namespace dexlock::sim
