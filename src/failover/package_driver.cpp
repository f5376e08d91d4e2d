#include "failover/package_driver.hpp"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "failover/saying.hpp"
#include "system/boot_time.hpp"

namespace dexlock {
namespace {

using std::chrono::nanoseconds;

constexpr std::chrono::milliseconds kRetry{1'000};  // after a refused lock, or without a guard

}  // namespace

PackageDriver::PackageDriver(const PackageSettings& settings, GuardWatch guard,
                             std::function<void(PackageState, PackageState)> on_change)
    : settings_(settings),
      machine_(settings.machine(), boot_time()),
      guard_(std::move(guard)),
      orders_(settings_, [this](const Words& words) { guard_.tell(words); }),
      on_change_(std::move(on_change)) {}

void PackageDriver::wish(const Wish& wish) { obey(machine_.wish(wish, boot_time())); }

void PackageDriver::new_settings() {
  guard_.tell_settings(settings_);
  obey(machine_.settings(settings_.machine(), boot_time()));
}

void PackageDriver::go_on() {
  guard_.tell_alive();
  obey(machine_.tick(boot_time()));
  if (orders_.is_overdue() || is_late()) {
    hear();  // it was this process that slept, perhaps
  }
  if (orders_.is_overdue()) {
    if (const auto done = orders_.give_up()) {
      on_done(*done);
    }
  }
  if (is_late()) {
    guard_.kill();
    replace_guard("the guard of the package did not act when the lease ended");
  }
  if (seek_again_at_ && boot_time() >= *seek_again_at_) {
    seek_again_at_.reset();
    guard_.tell({"seek"});
  }
}

nanoseconds PackageDriver::next_time() const {
  nanoseconds next =
      guard_.next_time(machine_.holds() ? GuardWatch::Holds::yes : GuardWatch::Holds::no);
  for (const auto& at : {machine_.next_time(), seek_again_at_}) {
    next = at ? std::min(next, *at) : next;
  }
  return next;
}

Result<void> PackageDriver::begin() {
  if (const auto opened = guard_.open(settings_); !opened) {
    return opened;
  }
  if (guard_.left() && machine_.state() == PackageState::standby) {
    static_cast<void>(machine_.granted(boot_time()));
    static_cast<void>(machine_.lost("its guard was gone, or did not answer", boot_time()));
    on_stop(guard_.left()->empty(), *guard_.left());
  } else if (guard_.is_busy()) {
    static_cast<void>(machine_.granted(boot_time()));
    static_cast<void>(machine_.lost("its supervisor was gone for too long", boot_time()));
  } else if (guard_.lease().token != 0) {
    say(settings_.name + ": found it in the keeping of its guard");
    obey(machine_.granted(boot_time()));
  }
  return {};
}

void PackageDriver::hear() {
  Words words;
  Heard heard = Heard::message;
  while ((heard = guard_.hear(words)) == Heard::message) {
    on_message(words);
  }
  if (heard == Heard::closed) {
    guard_.kill();  // it may have hung up, and live
    replace_guard("the guard of the package was killed, or hung up");
  }
}

void PackageDriver::on_message(const Words& words) {
  const std::string& what = words.front();
  const nanoseconds now = boot_time();
  if (what == "granted") {
    obey(machine_.granted(now));
  } else if (what == "refused" && machine_.seeks()) {
    seek_again_at_ = now + kRetry;
  } else if (what == "released") {
    obey(machine_.released(now));
  } else if (what == "lost" && words.size() == 2) {
    orders_.forget();
    obey(machine_.lost(words[1], now));
  } else if (what == "will" && words.size() == 3) {
    on_stop(words[1] == "1", words[2]);
  } else if (what == "ran") {
    if (auto done = orders_.on_ran(words)) {
      on_done(*done);
    }
  }
}

// While the package may run here there must be a guard, and without one it is stopped at once.
void PackageDriver::replace_guard(const std::string& why) {
  const bool active = machine_.state() != PackageState::standby;
  orders_.forget();
  std::string trouble;
  if (active) {
    say(settings_.name + ": " + why + "; stopping the package");
    obey(machine_.lost(why, boot_time()));
    trouble = guard_.stop_package();
  } else {
    guard_.forget_left();  // nothing has been started
  }
  if (const auto begun = begin(); !begun) {
    say(begun.error().text);  // again with the next turn of the loop: nothing runs here now
    ::poll(nullptr, 0, static_cast<int>(kRetry.count()));
  }
  if (active && guard_.left() && !guard_.left()->empty()) {
    trouble += (trouble.empty() ? "" : "; ") + *guard_.left();
  }
  if (active) {
    obey(machine_.stopped(trouble.empty(), trouble, boot_time()));
  } else if (machine_.seeks()) {
    guard_.tell({"seek"});
  }
}

void PackageDriver::obey(const PackageMachine::Acts& acts) {
  for (const Act act : acts) {
    obey(act);
  }
  if (machine_.state() != told_) {
    const PackageState from = std::exchange(told_, machine_.state());
    on_change_(from, told_);
  }
}

void PackageDriver::obey(Act act) {
  switch (act) {
    case Act::seek:
      guard_.tell({"seek"});
      break;
    case Act::withdraw:
      seek_again_at_.reset();
      guard_.tell({"withdraw"});
      break;
    case Act::release:
      guard_.tell({"release"});
      break;
    case Act::probe:
      if (auto done = orders_.look(machine_.state())) {
        on_done(*done);
      }
      break;
    case Act::start:
      orders_.start();
      break;
    case Act::stop:
      orders_.stop();
      break;
    case Act::kill:
      orders_.kill();
      break;
    case Act::fence:
      if (const auto step = guard_.fence(settings_)) {
        orders_.fence(*step);
      }
      break;
  }
}

// A guard that could not stop the package keeps the lease beyond what the machine knows.
void PackageDriver::on_stop(bool well, const std::string& why) {
  if (well && !machine_.holds()) {
    guard_.tell({"release"});
    if (machine_.seeks()) {  // it could not while the package was being stopped
      guard_.tell({"seek"});
    }
  }
  obey(machine_.stopped(well, why, boot_time()));
}

void PackageDriver::on_done(const GuardOrders::Done& done) {
  using Order = GuardOrders::Done::Order;
  const nanoseconds now = boot_time();
  switch (done.order) {
    case Order::look:
      obey(machine_.probed(done.health, done.why, now));
      break;
    case Order::start:
      obey(machine_.started(done.well, done.why, now));
      break;
    case Order::stop:
      on_stop(done.well, done.why);
      break;
  }
}

}  // namespace dexlock
