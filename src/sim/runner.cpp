#include "sim/runner.hpp"

#include <algorithm>
#include <array>

#include "sim/draw.hpp"

namespace dexlock::sim {
namespace {

constexpr std::array kAims{"idle", "waiting", "holding", "stopping", "releasing", "done"};

}  // namespace

Runner::Runner(std::size_t index, Surroundings& around) : LeaseClient(index, around) {
  until_ = between(around.random, Nanoseconds(0), around.mix.think_max);
}

std::string Runner::state_text() const { return kAims[static_cast<std::size_t>(aim_)]; }

const Session* Runner::waiting_session() const {
  return aim_ == Aim::waiting ? session_.get() : nullptr;
}

Nanoseconds Runner::work_limit() const {
  if (around_.planted(Plant::stopped_late)) {
    return ladder().gone_by + Nanoseconds(terms_.lease) / 2;
  }
  return around_.mix.work_to_the_limit ? ladder().gone_by - kAtOnce : ladder().kill_at;
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
        begin_asking();
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
  until_ = around_.now() +
           (around_.healed ? kAtOnce : between(around_.random, kAtOnce, around_.mix.think_max));
}

void Runner::begin_asking() {
  if (!session_ || happens(around_.random, 300'000)) {
    end_process();
    if (!copy_a_waiting_session()) {
      start_process(fresh_client());
    } else {
      return;
    }
  }
  aim_ = Aim::waiting;
  until_ =
      around_.now() + (around_.healed ? std::chrono::hours(24)
                                      : between(around_.random, kAtOnce, around_.mix.patience_max));
  ask();
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

void Runner::on_granted(FencingToken token) {
  served_ = served_ || around_.healed;
  track_lease();
  if (elapsed_for_holder(work_.start, clock_now()) >= ladder().signal_at) {
    begin_release();  // too little of the lease is left to begin anything
    return;
  }
  aim_ = Aim::holding;
  work_.limit = work_limit();
  const Nanoseconds longest = around_.healed ? Nanoseconds(terms_.lease) / 4 : around_.mix.hold_max;
  until_ = around_.now() + between(around_.random, kAtOnce, longest);
  renew_boot_ = work_.start.boot + work_.lease / 5;
  begin_work(token);
}

void Runner::on_lost(const std::string&) {
  if (aim_ == Aim::holding) {
    begin_stopping();
  } else if (aim_ == Aim::waiting) {
    begin_release();
  }
}

void Runner::begin_stopping() {
  aim_ = Aim::stopping;
  note("begins to stop");
  until_ = stop_end();
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
  release_session();
}

void Runner::on_released() {
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
