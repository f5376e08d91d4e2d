#include "process/watchdog.hpp"

#include <fcntl.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "system/duration_text.hpp"

namespace dexlock {
namespace {

constexpr char kFood = '\0';
constexpr char kDisarm = 'V';

std::string text_of(std::chrono::nanoseconds span) {
  return duration_text(std::chrono::duration_cast<std::chrono::milliseconds>(span));
}

}  // namespace

std::chrono::seconds watchdog_time(const StopLadder& ladder) {
  return std::max(std::chrono::floor<std::chrono::seconds>(ladder.gone_by - ladder.degraded_at),
                  std::chrono::seconds(0));
}

bool may_feed(std::chrono::nanoseconds elapsed, std::chrono::seconds time,
              const StopLadder& ladder) {
  return elapsed + time <= ladder.gone_by;
}

Result<Watchdog> Watchdog::open(const std::string& device, const StopLadder& ladder) {
  const std::chrono::seconds most = watchdog_time(ladder);
  const std::string sum = "others may have the lock after " + text_of(ladder.gone_by) +
                          ", a renewal may come as late as " + text_of(ladder.degraded_at) +
                          ", so it must be " + text_of(most) + " or less";
  if (most.count() == 0) {
    return fail(Errc::bad_argument, device + ": it counts whole seconds; " + sum +
                                        "; use a longer --timeout or --stop-timeout");
  }
  UniqueFd opened(::open(device.c_str(), O_WRONLY | O_CLOEXEC));
  if (opened.get() < 0) {
    return fail(Errc::io, "cannot open watchdog " + device + ": " + std::strerror(errno));
  }
  int time = static_cast<int>(most.count());
  if (::ioctl(opened.get(), WDIOC_SETTIMEOUT, &time) != 0 ||
      ::ioctl(opened.get(), WDIOC_GETTIMEOUT, &time) != 0) {
    const std::string why = std::strerror(errno);
    static_cast<void>(!::write(opened.get(), &kDisarm, 1));
    return fail(Errc::io, device + " is no watchdog whose time can be set: " + why);
  }
  Watchdog watchdog(std::move(opened), std::chrono::seconds(time));
  if (watchdog.time_ > most) {
    watchdog.disarm();
    return fail(Errc::bad_argument, device + ": its time is " + text_of(watchdog.time_) +
                                        " at least; " + sum +
                                        "; use a longer --timeout or --stop-timeout");
  }
  return watchdog;
}

void Watchdog::feed() const { static_cast<void>(!::write(device_.get(), &kFood, 1)); }

void Watchdog::disarm() const { static_cast<void>(!::write(device_.get(), &kDisarm, 1)); }

}  // namespace dexlock
