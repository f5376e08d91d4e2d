#include "sim/runner.hpp"

#include <algorithm>
#include <array>

#include "sim/draw.hpp"

namespace dexlock::sim {
namespace {

constexpr Nanoseconds kInstantly = std::chrono::microseconds(1);
constexpr std::array kAims{"idle", "waiting", "holding", "stopping", "releasing", "done"};

}  // namespace

Runner::Runner(std::size_t index, Surroundings& around) : Actor(index, around) {
  until_ = between(around.random, Nanoseconds(0), around.mix.think_max);
}

std::string Runner::state_text() const { return kAims[static_cast<std::size_t>(aim_)]; }

const Session* Runner::waiting_session() const {
  return aim_ == Aim::waiting ? session_.get() : nullptr;
}

// By the lease that it has now: an inherited one is shorter until it is claimed.
StopLadder Runner::ladder() const {
  Terms now = terms_;
  if (work_.lease.count() > 0) {
    now.lease = std::chrono::duration_cast<std::chrono::milliseconds>(work_.lease);
  }
  return stop_ladder(now);
}

Nanoseconds Runner::guard_limit() const {
  if (around_.planted(Plant::stopped_late)) {
    return ladder().gone_by + Nanoseconds(terms_.lease) / 2;
  }
  return around_.mix.work_to_the_limit ? ladder().gone_by - kInstantly : ladder().kill_at;
}

Nanoseconds Runner::true_moment(Nanoseconds since_start) const {
  return clock_.when_holder_counts(work_.start, since_start, around_.now());
}

std::optional<Nanoseconds> Runner::own_timer() const {
  switch (aim_) {
    case Aim::done:
      return std::nullopt;
    case Aim::holding:
      return std::min({until_, true_moment(ladder().signal_at),
                       clock_.when_boot_shows(renew_boot_, around_.now())});
    case Aim::stopping:
      return std::min(until_, clock_.when_boot_shows(renew_boot_, around_.now()));
    case Aim::idle:
    case Aim::waiting:
    case Aim::releasing:
      break;
  }
  return until_;
}

void Runner::on_own_timer() {
  const Nanoseconds now = around_.now();
  switch (aim_) {
    case Aim::idle:
      if (work_.on) {
        until_ = now + Nanoseconds(terms_.lease) / 10;  // the guard of the last one still stops it
      } else {
        ask();
      }
      return;
    case Aim::waiting:
      begin_release();
      return;
    case Aim::holding:
      if (now >= until_ || !work_.on) {
        finish_work();
      } else if (elapsed_for_holder(work_.start, clock_now()) >= ladder().signal_at) {
        begin_stopping();
      } else {
        renew();
      }
      return;
    case Aim::stopping:
      if (now >= until_ || !work_.on) {
        finish_work();
      } else {
        renew();
      }
      return;
    case Aim::releasing:
      end_process();
      rest();
      return;
    case Aim::done:
      return;
  }
}

void Runner::rest() {
  aim_ = Aim::idle;
  until_ =
      around_.now() +
      (around_.healed ? kInstantly : between(around_.random, kInstantly, around_.mix.think_max));
}

void Runner::ask() {
  if (!session_ || happens(around_.random, 300'000)) {
    end_process();
    if (!copy_a_waiting_session()) {
      start_process(fresh_client());
    } else {
      return;
    }
  }
  aim_ = Aim::waiting;
  until_ = around_.now() + (around_.healed
                                ? std::chrono::hours(24)
                                : between(around_.random, kInstantly, around_.mix.patience_max));
  floor_ = around_.holds.highest_told();
  note("asks");
  carry_out(session_->acquire(Patience::wait, clock_now()));
}

// Planted: the memory of a process, its identity and all, goes on in two places.
bool Runner::copy_a_waiting_session() {
  if (!around_.planted(Plant::session_cloned)) {
    return false;
  }
  for (const Actor* actor : around_.actors) {
    const auto* other = dynamic_cast<const Runner*>(actor);
    if (other != nullptr && other != this && other->waiting_session() != nullptr) {
      start_process(other->claim_.client);
      session_ = std::make_unique<Session>(*other->session_);
      aim_ = Aim::waiting;
      until_ = around_.now() + std::chrono::hours(24);
      return true;
    }
  }
  return false;
}

void Runner::on_event(const Event& event) {
  if (const auto* granted = std::get_if<Granted>(&event)) {
    on_granted(granted->token);
  } else if (std::holds_alternative<Renewed>(event)) {
    around_.counts.add(Seen::renewals);
    track_lease();
    work_.limit = guard_limit();
  } else if (const auto* lost = std::get_if<Lost>(&event)) {
    note("has lost it: " + lost->why);
    around_.counts.add(Seen::losses);
    on_lost();
  } else if (std::holds_alternative<Released>(event)) {
    on_released();
  } else if (std::holds_alternative<Busy>(event)) {
    around_.counts.add(Seen::busy);
  } else if (std::holds_alternative<NoQuorum>(event)) {
    around_.counts.add(Seen::no_quorum);
  } else if (const auto* closed = std::get_if<Closed>(&event)) {
    around_.counts.add(Seen::closed);
    if (!closed->waits) {
      begin_release();
    }
  } else if (std::holds_alternative<AlarmRaised>(event)) {
    around_.findings.add(around_.now(), "alarm", name_ + " raised the alarm: two values");
  }
}

void Runner::on_granted(FencingToken token) {
  note("is granted token " + std::to_string(token.value));
  around_.counts.add(Seen::grants);
  around_.registers.on_granted(claim_.client, token, around_.now());
  around_.holds.on_granted(index_, Hold{name_, claim_.mode, claim_.weight, token}, floor_,
                           around_.now());
  check_hold();
  served_ = served_ || around_.healed;
  track_lease();
  if (elapsed_for_holder(work_.start, clock_now()) >= ladder().signal_at) {
    begin_release();  // too little of the lease is left to begin anything
    return;
  }
  aim_ = Aim::holding;
  work_.limit = guard_limit();
  const Nanoseconds longest = around_.healed ? Nanoseconds(terms_.lease) / 4 : around_.mix.hold_max;
  until_ = around_.now() + between(around_.random, kInstantly, longest);
  renew_boot_ = work_.start.boot + work_.lease / 5;
  begin_work(token);
}

void Runner::renew() {
  renew_boot_ = clock_now().boot + renewal_period(terms_);
  if (session_ && session_->belief()) {
    carry_out(session_->renew(clock_now()));
  }
}

void Runner::on_lost() {
  if (aim_ == Aim::holding) {
    begin_stopping();
  } else if (aim_ == Aim::waiting) {
    begin_release();
  }
}

void Runner::begin_stopping() {
  aim_ = Aim::stopping;
  note("begins to stop");
  const Nanoseconds last = true_moment(work_.limit);
  until_ = around_.mix.work_to_the_limit ? last : between(around_.random, around_.now(), last);
}

void Runner::on_work_stopped() {
  if (aim_ == Aim::holding || aim_ == Aim::stopping) {
    finish_work();
  }
}

void Runner::finish_work() {
  if (!around_.planted(Plant::belief_until_released)) {
    end_work();
  }
  begin_release();
}

void Runner::begin_release() {
  aim_ = Aim::releasing;
  until_ = around_.now() + Nanoseconds(terms_.lease) * 2;
  if (!session_) {
    rest();
    return;
  }
  note("releases");
  around_.registers.on_releasing(claim_.client, around_.now());
  carry_out(session_->release(clock_now()));
}

void Runner::on_released() {
  note("has released");
  around_.counts.add(Seen::releases);
  around_.registers.on_released(claim_.client, around_.now());
  end_work();
  if (served_) {
    aim_ = Aim::done;
    satisfied_ = true;
    end_process();
    return;
  }
  rest();
}

void Runner::on_killed() {
  if (aim_ != Aim::done) {
    rest();
  }
}

void Runner::on_rebooted() { on_killed(); }

void Runner::on_healed() {
  const Nanoseconds soon = around_.now() + Nanoseconds(terms_.lease) / 4;
  switch (aim_) {
    case Aim::idle:
      until_ = around_.now();
      break;
    case Aim::waiting:
      until_ = around_.now() + std::chrono::hours(24);
      break;
    case Aim::holding:
      until_ = std::min(until_, soon);
      break;
    case Aim::stopping:
    case Aim::releasing:
    case Aim::done:
      break;
  }
}

}  // namespace dexlock::sim
