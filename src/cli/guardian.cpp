#include "cli/guardian.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <string>

#include "cli/command_line.hpp"
#include "cli/sentinel.hpp"

namespace dexlock {
namespace {

// While what was killed has not vanished yet, and while a stop is awaited, it is looked at so
// often.
constexpr std::chrono::milliseconds kLeftPoll{20};

constexpr std::chrono::milliseconds kLastMeal{20};  // before it may be fed no more

}  // namespace

Guardian::Guardian(const Watched& watched, GuardedProcess& process,
                   std::optional<std::chrono::milliseconds> limit, const Watchdog* watchdog)
    : watched_(watched),
      options_(watched.options),
      lease_(watched.lease),
      process_(process),
      limit_(limit),
      watchdog_(watchdog),
      started_at_(boot_time()),
      ladder_(ladder_of(options_)),
      timer_(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {}

void Guardian::watch() {
  while (!finished()) {
    step_ladder();
    tell_time();
    warn();
    limit_time();
    feed_watchdog();
    wait();
    pass_signals();
    process_.reap();
    if (!finished()) {
      process_.keep_guarded();
    }
    if (process_.take_stopped()) {
      stop_with_it();
    }
  }
  ended_at_ = elapsed();
  if (process_.overdue() && !stopping_) {
    complain_at_once("lock " + options_.lease.name +
                     " is lost: this process was stopped for too long; the command was killed "
                     "meanwhile");
  }
  if (!stopping_ && !too_long_ &&
      !process_.unguarded()) {  // else all that was left had to end as well
    ended_at_ -= boot_time() - process_.ended_at();
  }
}

bool Guardian::lost() const {
  return stopping_ || process_.overdue() || ended_at_ >= nanoseconds(options_.lease.timeout);
}

bool Guardian::finished() const {
  const bool all_must_go = stopping_ || too_long_ || process_.unguarded();
  return process_.ended() && !(all_must_go && process_.anything_left());
}

// Time since the lease began. Once the command is being stopped a renewal that comes late changes
// nothing any more: the ladder goes on from where it began.
std::chrono::nanoseconds Guardian::elapsed() const {
  return stopping_ ? stopping_from_ + (boot_time() - stopping_at_) : lease_.elapsed();
}

// To the sentinel, which kills the command if this is not heard of in time, and to the command.
void Guardian::tell_time() {
  const nanoseconds began = boot_time() - elapsed();
  process_.set_deadline(began + ladder_.kill_at);
  watched_.deadline_file.set(stopping_ ? nanoseconds(0) : began + ladder_.signal_at);
}

std::chrono::nanoseconds Guardian::age() const { return boot_time() - started_at_; }

// Once for each time that renewals begin to fail.
void Guardian::warn() {
  const bool degraded = !stopping_ && elapsed() >= ladder_.degraded_at;
  if (degraded && !warned_ && !options_.hooks.on_degraded.empty()) {
    degraded_.emplace("--on-degraded", options_.hooks.on_degraded, watched_.settings,
                      options_.hooks.limit);
  }
  warned_ = degraded;
  if (degraded_ && degraded_->ended()) {
    degraded_.reset();
  }
}

// Once the command is being stopped the watchdog has its last meal.
void Guardian::feed_watchdog() const {
  if (watchdog_ != nullptr && !stopping_ && may_feed(elapsed(), watchdog_->time(), ladder_)) {
    watchdog_->feed();
  }
}

// It holds the lock until all of it is gone.
void Guardian::limit_time() {
  const bool in_time = !limit_ || age() < *limit_;
  if (in_time || stopping_ || (process_.ended() && !too_long_)) {
    return;
  }
  const bool kill = age() >= *limit_ + (ladder_.kill_at - ladder_.signal_at);
  if (kill || !too_long_) {
    process_.signal_all(kill ? SIGKILL : options_.signal);
  }
  too_long_ = true;
}

void Guardian::step_ladder() {
  const nanoseconds so_far = elapsed();
  const bool begins = !stopping_ && (!process_.ended() || too_long_) &&
                      (!lease_.holds() || so_far >= ladder_.signal_at);
  if (begins) {
    stopping_at_ = boot_time();
    stopping_from_ = so_far;
    stopping_ = true;
    // A stopped command must not wake up for a polite signal when its time is over.
    process_.signal_all(so_far < ladder_.kill_at ? options_.signal : SIGKILL);
  }
  if ((stopping_ && so_far >= ladder_.kill_at) || process_.unguarded()) {
    process_.signal_all(SIGKILL);
  }
  if (begins) {
    const std::string why = lease_.loss();
    complain_at_once("lock " + options_.lease.name + " is lost: " +
                     (why.empty() ? "no majority of the lock servers confirmed it in time" : why) +
                     "; stopping the command");
  }
}

// Until the next rung of the ladder, on a clock that runs through suspend, or whatever happens
// before.
void Guardian::wait() {
  const nanoseconds next = (stopping_ ? ladder_.kill_at : ladder_.signal_at) - elapsed();
  // What depends on the latest renewal is told with each, and whether one came.
  const nanoseconds renewal = nanoseconds(options_.lease.timeout) / 5;
  nanoseconds pause = std::clamp(next, nanoseconds(1), renewal);
  if (watchdog_ != nullptr) {
    // Its last meal as late as it may be, so that it bites behind the ladder's end.
    const nanoseconds last = ladder_.gone_by - watchdog_->time() - elapsed() - kLastMeal;
    pause = std::min(pause, nanoseconds(watchdog_->time()) / 2);
    pause = last.count() > 0 ? std::min(pause, last) : pause;
  }
  if (limit_ && !stopping_) {
    pause = std::clamp(*limit_ - age(), nanoseconds(1), pause);
  }
  if (stopping_ || too_long_ || process_.unguarded()) {
    pause = next.count() > 0 ? std::min<nanoseconds>(pause, kLeftPoll) : kLeftPoll;
  }
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(pause);
  const itimerspec spec{
      .it_interval = {},
      .it_value = {.tv_sec = seconds.count(), .tv_nsec = (pause - seconds).count()}};
  ::timerfd_settime(timer_.get(), 0, &spec, nullptr);
  std::array<pollfd, 4> watched{pollfd{watched_.signals.fd(), POLLIN, 0},
                                pollfd{timer_.get(), POLLIN, 0},
                                pollfd{stopping_ ? -1 : lease_.loss_fd(), POLLIN, 0},
                                pollfd{process_.ended() ? -1 : process_.news_fd(), POLLIN, 0}};
  ::poll(watched.data(), watched.size(), -1);
}

void Guardian::pass_signals() {
  while (const auto signal = watched_.signals.next()) {
    told_to_end_ = ends_the_wait(*signal) ? signal : told_to_end_;
    if (!process_.ended()) {
      process_.signal_all(*signal);
    }
  }
}

// Job control: the guardian stops with its command, so that the shell sees one stopped job.
void Guardian::stop_with_it() {
  if (stopping_ || too_long_) {
    process_.signal_all(SIGCONT);
    return;
  }
  process_.take_terminal();
  ::raise(SIGSTOP);
  // Going on: first of all the lease, then the command, if it has not been killed meanwhile.
  if (!process_.reap() && lease_.holds() && elapsed() < ladder_.signal_at) {
    process_.give_terminal();
    process_.signal_all(SIGCONT);
  }
}

}  // namespace dexlock
