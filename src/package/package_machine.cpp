#include "package/package_machine.hpp"

#include <algorithm>
#include <utility>

#include "lock/invariant.hpp"

namespace dexlock {

using enum PackageState;

void PackageMachine::enter(PackageState state, Nanoseconds now) {
  if (state_ != state) {
    state_ = state;
    since_ = now;
  }
}

void PackageMachine::do_it(Act act, Busy busy) {
  acts_.push_back(act);
  busy_ = busy;
}

PackageMachine::Acts PackageMachine::granted(Nanoseconds now) {
  seeks_ = false;
  holds_ = true;
  if (state_ == standby) {
    unclear_ = 0;
    next_look_ = now;
    enter(unknown, now);
  }
  return decide(now);
}

PackageMachine::Acts PackageMachine::lost(const std::string& why, Nanoseconds now) {
  if (!holds_) {
    return {};
  }
  holds_ = false;
  error_ = why;
  stops_ = 0;
  busy_ = Busy::stop;
  enter(halting, now);
  return {};
}

PackageMachine::Acts PackageMachine::released(Nanoseconds now) {
  if (busy_ == Busy::release) {
    busy_ = Busy::no;
    holds_ = false;
    enter(standby, now);
  }
  return decide(now);
}

PackageMachine::Acts PackageMachine::started(bool done, const std::string& detail,
                                             Nanoseconds now) {
  if (busy_ == Busy::start) {
    busy_ = Busy::no;
    next_look_ = now;
    if (!done) {
      fail("start: " + detail, now);
    }
  }
  return decide(now);
}

PackageMachine::Acts PackageMachine::stopped(bool done, const std::string& detail,
                                             Nanoseconds now) {
  if (busy_ != Busy::stop) {
    return decide(now);
  }
  busy_ = Busy::no;
  if (!done) {
    ++stops_;
    error_ = "stop: " + detail;
    if (stops_ >= kStopAttempts + (settings_.can_fence ? 1 : 0)) {
      stops_ = 0;
      down_ = false;
      retry_at_ = now + settings_.pace;
      enter(failed, now);
    }
    return decide(now);
  }
  stops_ = 0;
  if (!holds_) {
    enter(standby, now);
  } else if (state_ == failing) {
    down_ = true;
    count_failure(now);
    enter(failed, now);
  } else {
    enter(halted, now);
  }
  return decide(now);
}

PackageMachine::Acts PackageMachine::probed(Health health, const std::string& detail,
                                            Nanoseconds now) {
  if (busy_ == Busy::probe) {
    busy_ = Busy::no;
    if (!wish_.maintenance) {
      next_look_ = now + settings_.pace;
      on_health(health, detail, now);
    }
  }
  return decide(now);
}

PackageMachine::Acts PackageMachine::wish(const Wish& wish, Nanoseconds now) {
  if (wish_.maintenance && !wish.maintenance) {
    next_look_ = now;
    unclear_ = 0;
  }
  wish_ = wish;
  return decide(now);
}

PackageMachine::Acts PackageMachine::settings(const MachineSettings& settings, Nanoseconds now) {
  settings_ = settings;
  return decide(now);
}

PackageMachine::Acts PackageMachine::tick(Nanoseconds now) { return decide(now); }

void PackageMachine::on_health(Health health, const std::string& detail, Nanoseconds now) {
  if (health != Health::unclear) {
    unclear_ = 0;
  }
  switch (health) {
    case Health::up:
    case Health::degraded:
      if (state_ == running && now - since_ >= settings_.failure_timeout) {
        failures_ = 0;
        bars_ = 0;
        error_.clear();
      }
      if (health == Health::degraded) {
        error_ = "degraded: " + detail;
      }
      enter(health == Health::up ? running : degraded, now);
      break;
    case Health::down:
    case Health::partly:
      if (state_ == unknown && here()) {
        enter(starting, now);
        do_it(Act::start, Busy::start);
      } else if (state_ == unknown) {
        enter(health == Health::down ? halted : halting, now);
      } else if (state_ == starting) {
        next_look_ = now + std::min(kStartLook, settings_.pace);
      } else {
        fail((health == Health::down ? "it is down, and nobody has stopped it: "
                                     : "a part of it is down: ") +
                 detail,
             now);
      }
      break;
    case Health::unclear:
      on_unclear(detail, now);
      break;
    case Health::critical:
      fail("critical: " + detail, now);
      break;
  }
}

void PackageMachine::on_unclear(const std::string& detail, Nanoseconds now) {
  if (state_ == starting) {
    next_look_ = now + std::min(kStartLook, settings_.pace);
    return;
  }
  error_ = "status: " + detail;
  if (++unclear_ >= kUnclearLimit) {
    fail("nobody can tell whether it runs: " + detail, now);
  }
}

void PackageMachine::fail(const std::string& why, Nanoseconds now) {
  error_ = why;
  stops_ = 0;
  enter(failing, now);
}

void PackageMachine::count_failure(Nanoseconds now) {
  ++failures_;
  const bool enough = failures_ >= settings_.migration_threshold;
  retry_at_ = now + settings_.pace;
  if (enough) {
    constexpr int kDoublings = 20;
    const Nanoseconds bar = kFirstBar * (std::int64_t{1} << std::min(bars_, kDoublings));
    barred_until_ = now + std::min(bar, settings_.failure_timeout);
    ++bars_;
  }
}

PackageMachine::Acts PackageMachine::decide(Nanoseconds now) {
  if (state_ == standby) {
    decide_standby(now);
  } else {
    decide_active(now);
  }
  INVARIANT(state_ != starting || holds_);
  INVARIANT(busy_ != Busy::start || holds_);
  return std::exchange(acts_, {});
}

void PackageMachine::decide_standby(Nanoseconds now) {
  const bool seek = may_seek(now);
  if (seek != seeks_) {
    acts_.push_back(seek ? Act::seek : Act::withdraw);
    seeks_ = seek;
  }
  if (barred_until_ != Nanoseconds::min() && now >= barred_until_) {
    barred_until_ = Nanoseconds::min();
    failures_ = 0;
  }
}

void PackageMachine::decide_active(Nanoseconds now) {
  switch (state_) {
    case starting:
      if (!here()) {
        enter(halting, now);
        try_stop();
      } else if (busy_ == Busy::no && !wish_.maintenance &&
                 now - since_ >= settings_.start_timeout) {
        fail("it was not up in time after its start", now);
        try_stop();
      } else {
        look(now);
      }
      break;
    case running:
    case degraded:
      if (!here()) {
        enter(halting, now);
        try_stop();
        break;
      }
      look(now);
      break;
    case unknown:
      if (!here() && wish_.maintenance && busy_ == Busy::no) {
        enter(halting, now);  // nothing is looked at now
        try_stop();
        break;
      }
      look(now);
      break;
    case halting:
    case failing:
      if (busy_ != Busy::stop) {
        try_stop();
      }
      break;
    case halted:
      if (busy_ == Busy::no) {
        do_it(Act::release, Busy::release);
      }
      break;
    case failed:
      decide_failed(now);
      break;
    case standby:
      break;
  }
}

void PackageMachine::look(Nanoseconds now) {
  if (busy_ == Busy::no && !wish_.maintenance && now >= next_look_) {
    do_it(Act::probe, Busy::probe);
  }
}

void PackageMachine::try_stop() {
  if (stops_ == 0) {
    do_it(Act::stop, Busy::stop);
  } else {
    do_it(stops_ < kStopAttempts ? Act::kill : Act::fence, Busy::stop);
  }
}

void PackageMachine::decide_failed(Nanoseconds now) {
  if (busy_ != Busy::no) {
    return;
  }
  if (!down_) {
    if (now >= retry_at_) {
      enter(holds_ ? failing : halting, now);
      try_stop();
    }
    return;
  }
  if (!here() || now < barred_until_) {
    do_it(Act::release, Busy::release);
  } else if (now >= retry_at_ && !wish_.maintenance) {
    next_look_ = now;
    unclear_ = 0;
    enter(unknown, now);
    look(now);
  }
}

std::optional<Nanoseconds> PackageMachine::next_time() const {
  switch (state_) {
    case standby:
      return barred_until_ != Nanoseconds::min() ? std::optional(barred_until_) : std::nullopt;
    case unknown:
    case running:
    case degraded:
      return busy_ != Busy::no || wish_.maintenance ? std::nullopt : std::optional(next_look_);
    case starting:
      return busy_ != Busy::no || wish_.maintenance
                 ? std::nullopt
                 : std::optional(std::min(next_look_, since_ + settings_.start_timeout));
    case failed:
      return busy_ != Busy::no || (down_ && wish_.maintenance) ? std::nullopt
                                                               : std::optional(retry_at_);
    case halting:
    case halted:
    case failing:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Nanoseconds> PackageMachine::stands_back_until(Nanoseconds now) const {
  return now < barred_until_ ? std::optional(barred_until_) : std::nullopt;
}

bool PackageMachine::may_leave() const {
  return wish_.leave && state_ == standby && !holds_ && !seeks_;
}

}  // namespace dexlock
