#include "failover/event_log.hpp"

#include <poll.h>
#include <syslog.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "failover/saying.hpp"
#include "process/environment.hpp"
#include "system/boot_time.hpp"

namespace dexlock {
namespace {

constexpr std::chrono::seconds kHookLimit{60};
constexpr std::size_t kWaitingMax = 100;

// What stderr is connected to the journal for stands there already.
bool is_in_journal() { return std::getenv("JOURNAL_STREAM") != nullptr; }

}  // namespace

void EventLog::add(PackageState from, PackageState to, const std::string& error,
                   const std::string& command) {
  const bool ill =
      to == PackageState::failing || to == PackageState::failed || to == PackageState::degraded;
  std::string line = package_ + ": " + std::string(name_of(to)) + ", was " +
                     std::string(name_of(from)) + (ill && !error.empty() ? ": " + error : "");
  say(line);
  if (!is_in_journal()) {
    ::syslog(LOG_DAEMON | (ill ? LOG_WARNING : LOG_NOTICE), "dex-lock failover: %s", line.c_str());
  }
  if (command.empty()) {
    return;
  }
  if (waiting_.size() == kWaitingMax) {
    waiting_.pop_front();
    say(package_ + ": on_event is too slow; an event is passed over");
  }
  waiting_.push_back(
      {.label = "on_event",
       .words = shell_words(command),
       .settings = {"DEXLOCK_PACKAGE=" + package_, "DEXLOCK_HOST=" + host_,
                    "DEXLOCK_STATE_WAS=" + std::string(name_of(from)),
                    "DEXLOCK_STATE_IS=" + std::string(name_of(to)), "DEXLOCK_ERROR=" + error},
       .limit = kHookLimit});
}

void EventLog::go_on() {
  while (true) {
    if (job_) {
      const auto end = job_->ended();
      if (!end) {
        return;
      }
      if (end->status != 0) {
        say(package_ + ": on_event " + trouble_of(*end));
      }
      job_.reset();
    }
    if (waiting_.empty()) {
      return;
    }
    job_.emplace(waiting_.front(), tree_, std::vector<std::string>{}, children_);
    waiting_.pop_front();
  }
}

void EventLog::finish() {
  const auto until = boot_time() + kHookLimit;
  for (go_on(); job_ && boot_time() < until; go_on()) {
    std::array<pollfd, 2> watched{pollfd{job_->end_fd(), POLLIN, 0},
                                  pollfd{job_->output_fd(), POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        std::min(job_->deadline(), until) - boot_time());
    ::poll(watched.data(), watched.size(),
           static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
  }
}

}  // namespace dexlock
