#include "failover/guarded_lease.hpp"

#include <algorithm>
#include <utility>

#include "lock/fields.hpp"
#include "system/boot_time.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kReleaseLimit{5'000};
constexpr milliseconds kWorthSaying{5};  // of a renewal
constexpr std::uint64_t kMillisecondsMax = (1ULL << 31U) - 1;

}  // namespace

bool GuardedLease::set(const Words& words) {
  if (words.size() != 6) {
    return false;
  }
  const auto timeout = parse_number(words[1], kMillisecondsMax);
  const auto stop = parse_number(words[2], kMillisecondsMax);
  if (!timeout || !stop) {
    return false;
  }
  settings_.timeout = milliseconds(*timeout);
  settings_.stop_timeout = milliseconds(*stop);
  settings_.name = words[3];
  settings_.command = words[4];
  watchdog_device_ = words[5];
  if (!has() && !seeking_) {
    ladder_ = stop_ladder({.lease = settings_.timeout, .stop = settings_.stop_timeout});
  }
  return true;
}

void GuardedLease::seek() {
  if (seeking_) {
    return;
  }
  seeks_again_ = releasing_;
  if (releasing_) {
    return;
  }
  if (holds()) {
    tell_granted();
    return;
  }
  if (has()) {  // lost: watch() has the package stopped first, and who seeks is told
    return;
  }
  seeking_ = true;
  stop_seeking_ = std::stop_source();
  ladder_ = stop_ladder({.lease = settings_.timeout, .stop = settings_.stop_timeout});
  acquire(true);
}

// In line, where the lock servers keep one.
void GuardedLease::acquire(bool fifo) {
  LeaseOptions options = settings_;
  options.fifo = fifo;
  options.on_wait = [inbox = inbox_, this](const Waiting& waiting) {
    inbox->put([this, why = waiting.why] { tell_waiting(why); });
  };
  Lease::async_acquire(
      std::move(options), executor(),
      [this, fifo](Result<std::unique_ptr<Lease>> result) {
        if (fifo && !result && result.error().code == Errc::bad_config) {
          acquire(false);
        } else {
          on_acquired(std::move(result));
        }
      },
      stop_seeking_.get_token());
}

void GuardedLease::withdraw() {
  seeks_again_ = false;
  stop_seeking();
}

void GuardedLease::stop_seeking() { stop_seeking_.request_stop(); }

Executor GuardedLease::executor() const {
  return [inbox = inbox_](std::function<void()> call) { inbox->put(std::move(call)); };
}

void GuardedLease::tell_waiting(const std::string& why) {
  if (seeking_ && why != told_waiting_) {
    told_waiting_ = why;
    tell_({"waiting", why});
  }
}

void GuardedLease::on_acquired(Result<std::unique_ptr<Lease>> result) {
  const auto refuse = [this](const Error& error) {
    tell_({"refused", std::to_string(static_cast<int>(error.code)), error.text});
  };
  seeking_ = false;
  told_waiting_.clear();
  if (!result) {
    refuse(result.error());
    return;
  }
  lease_ = std::move(*result);
  last_token_ = lease_->token();
  if (!watchdog_device_.empty()) {
    auto watchdog = Watchdog::open(watchdog_device_, ladder_);
    if (!watchdog) {
      release(Told::yes);
      refuse(watchdog.error());
      return;
    }
    watchdog_ = std::move(*watchdog);
  }
  tell_granted();
}

void GuardedLease::tell_granted() const {
  Words words{"granted"};
  append(words);
  tell_(words);
}

void GuardedLease::release(Told told) {
  disarm();
  releasing_ = true;
  Lease::async_release(std::move(lease_), kReleaseLimit, executor(),
                       [this, told](const Result<void>&) {
                         releasing_ = false;
                         if (told == Told::yes) {
                           tell_({"released"});
                         }
                         if (std::exchange(seeks_again_, false)) {
                           seek();
                         }
                       });
}

void GuardedLease::disarm() {
  if (watchdog_) {
    watchdog_->disarm();
    watchdog_.reset();
  }
}

std::optional<std::string> GuardedLease::watch() {
  if (!has()) {
    return std::nullopt;
  }
  if (!holds() || lease_->elapsed() >= ladder_.signal_at) {
    const std::string why = lease_->loss();
    return why.empty() ? "no majority of the lock servers confirmed the lock in time" : why;
  }
  feed();
  const nanoseconds term = boot_time() - lease_->elapsed();
  if (term - told_term_ > kWorthSaying) {
    told_term_ = term;
    tell_({"term", std::to_string(term.count())});
  }
  return std::nullopt;
}

void GuardedLease::feed() const {
  if (watchdog_ && holds() && may_feed(lease_->elapsed(), watchdog_->time(), ladder_)) {
    watchdog_->feed();
  }
}

nanoseconds GuardedLease::signal_at() const {
  return boot_time() - lease_->elapsed() + ladder_.signal_at;
}

nanoseconds GuardedLease::kill_at() const {
  return has() ? boot_time() - lease_->elapsed() + ladder_.kill_at
               : boot_time() + settings_.stop_timeout;
}

void GuardedLease::append(Words& words) const {
  const nanoseconds term = has() ? boot_time() - lease_->elapsed() : nanoseconds(0);
  words.insert(words.end(), {std::to_string(has() ? last_token_ : 0), std::to_string(term.count()),
                             std::to_string(ladder_.signal_at.count()),
                             std::to_string(ladder_.kill_at.count())});
}

std::optional<nanoseconds> GuardedLease::next_time() const {
  if (!has()) {
    return std::nullopt;
  }
  return std::min(signal_at(), boot_time() + renewal_period({.lease = settings_.timeout}));
}

}  // namespace dexlock
