#include "failover/supervisor.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "failover/children.hpp"
#include "failover/cluster_watch.hpp"
#include "failover/event_log.hpp"
#include "failover/package_driver.hpp"
#include "failover/package_load.hpp"
#include "failover/placement.hpp"
#include "failover/saying.hpp"
#include "failover/supervisor_lock.hpp"
#include "failover/supervisor_signals.hpp"
#include "process/environment.hpp"
#include "system/boot_time.hpp"
#include "system/boot_timer.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kLookShortest{200};  // between two looks at the other hosts
constexpr milliseconds kLookLongest{2'000};

// The packages that this one depends on.
std::set<std::string> others_in(const PackageSettings& settings) {
  std::set<std::string> others;
  for (const auto* list : {&settings.together, &settings.apart, &settings.after}) {
    others.insert(list->begin(), list->end());
  }
  return others;
}

class Supervisor {
 public:
  Supervisor(SupervisorOptions options, UniqueFd lock)
      : options_(std::move(options)),
        lock_(std::move(lock)),
        placement_(options_.host),
        events_(options_.settings.name, options_.host, children_),
        package_(options_.settings,
                 {options_.directory, options_.guard_program, options_.host, children_},
                 [this](PackageState from, PackageState to) { on_change(from, to); }) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // heir of what a killed guard might leave
    // Its thread inherits the blocked signals.
    watch_.emplace(options_.settings.name, options_.host,
                   std::clamp(options_.settings.pace, kLookShortest, kLookLongest));
    watch_->regard(others_in(options_.settings));
  }

  Result<void> go() {
    if (const auto begun = package_.begin(); !begun) {
      return begun;
    }
    wish_.elsewhere = !package_.machine().holds();  // until the others have been looked at
    package_.wish(wish_);
    while (!package_.machine().may_leave()) {
      if (again_ && !leave_) {
        start_again();
      }
      package_.go_on();
      go_on_with_load();
      place();
      report();
      events_.go_on();
      wait();
    }
    package_.end();
    report();
    watch_.reset();  // its last word is published
    events_.finish();
    return {};
  }

 private:
  // --- the others

  void place() {
    if (auto views = watch_->take()) {
      views_ = std::move(*views);
      seen_ = true;
    }
    if (!seen_) {
      return;
    }
    const nanoseconds now = boot_time();
    const auto found = views_.find(options_.settings.name);
    const ControlRecord control = found == views_.end() ? ControlRecord{} : found->second.control;
    const PackageState state = package_.machine().state();
    const bool elsewhere = !placement_.elsewhere(options_.settings, views_, state, now).empty();
    wish_ = {.run = control.run,
             .elsewhere = elsewhere,
             .leave = leave_,
             .maintenance = control.maintenance};
    package_.wish(wish_);
  }

  void report() {
    const PackageMachine& machine = package_.machine();
    watch_->report({.state = machine.state(),
                    .since = state_since_,
                    .token = machine.state() == PackageState::standby ? 0 : package_.token(),
                    .failures = machine.failures(),
                    .ready = machine.seeks(),
                    .stands_back = machine.stands_back_until(boot_time()).has_value(),
                    .digest = digest_of(options_.settings),
                    .error = machine.error()});
  }

  void on_change(PackageState from, PackageState to) {
    state_since_ = std::time(nullptr);
    events_.add(from, to, package_.machine().error(), options_.settings.on_event);
  }

  // --- signals, waiting

  void on_signal(int signal) {
    switch (signal) {
      case SIGTERM:
      case SIGINT:
        leave_ = true;
        wish_.leave = true;
        package_.wish(wish_);
        break;
      case SIGHUP:
      case SIGUSR1:
        load_.emplace(options_.settings.name, children_);
        restarts_ = false;
        break;
      case SIGUSR2:
        watch_->look_now();
        break;
      case SIGQUIT:  // the program that follows must find settings that are well
        load_.emplace(options_.settings.name, children_);
        restarts_ = true;
        break;
      default:
        break;
    }
  }

  // The agents are asked about themselves, and may take their time.
  void go_on_with_load() {
    if (!load_) {
      return;
    }
    if (const auto settings = load_->go_on()) {
      load_.reset();
      if (!std::exchange(restarts_, false)) {
        take_settings(*settings);
      } else if (*settings) {
        again_ = true;
      } else {
        say("not started again: " + (*settings).error().text);
      }
    }
  }

  void take_settings(const Result<PackageSettings>& settings) {
    if (!settings) {
      say("the settings stay as they were: " + settings.error().text);
      return;
    }
    // What is taken out would be stopped by nobody.
    if (package_.machine().state() != PackageState::standby &&
        settings->resources != options_.settings.resources) {
      say("the settings stay as they were: what " + settings->name +
          " consists of cannot change where it is active; stop it first");
      return;
    }
    options_.settings = *settings;
    watch_->regard(others_in(options_.settings));
    package_.new_settings();
    say(options_.settings.name + ": the settings were read again");
  }

  // The same process: whoever has started it sees nothing of it.
  void start_again() {
    again_ = false;
    watch_.reset();
    std::vector<std::string> words = options_.own_program;
    const std::vector<char*> arguments = pointers(words);
    // What is sent meanwhile waits, blocked as it is, for the program that follows.
    ::execv(arguments[0], arguments.data());
    ::_exit(127);  // whoever has started this starts it again
  }

  [[nodiscard]] nanoseconds next_time() const {
    const nanoseconds now = boot_time();
    nanoseconds next = package_.next_time();
    for (const auto& at : {events_.next_time(), load_ ? load_->next_time() : std::nullopt}) {
      next = at ? std::min(next, *at) : next;
    }
    if (const auto at = placement_.next_time(); at && *at > now) {
      next = std::min(next, *at);
    }
    return std::max(next, now);
  }

  void wait() {
    timer_.set(next_time());
    std::vector<int> fds{package_.fd(), signals_.fd(),    watch_->fd(),
                         timer_.fd(),   events_.end_fd(), events_.output_fd()};
    if (load_) {
      const std::vector<int> of_load = load_->fds();
      fds.insert(fds.end(), of_load.begin(), of_load.end());
    }
    std::vector<pollfd> watched;
    for (const int fd : fds) {
      watched.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    }
    ::poll(watched.data(), watched.size(), -1);
    if (watched[0].revents != 0) {
      package_.hear();
    }
    while (const auto signal = signals_.take()) {
      on_signal(*signal);
    }
    static_cast<void>(children_.status_of(0));
  }

  SupervisorOptions options_;
  UniqueFd lock_;
  SupervisorSignals signals_;
  BootTimer timer_;
  Children children_;
  Placement placement_;
  EventLog events_;
  std::optional<ClusterWatch> watch_;
  PackageDriver package_;
  std::optional<PackageLoad> load_;  // of settings that are read again
  std::map<std::string, PackageView> views_;
  bool seen_ = false;
  Wish wish_;
  std::int64_t state_since_ = std::time(nullptr);
  bool leave_ = false;
  bool restarts_ = false;  // once the settings have been read
  bool again_ = false;
};

}  // namespace

Result<void> supervise(SupervisorOptions options) {
  SupervisorSignals::block();  // before the lock tells others whom to signal
  auto lock = lock_as_supervisor(options.directory);
  if (!lock) {
    return std::unexpected(lock.error());
  }
  return Supervisor(std::move(options), std::move(*lock)).go();
}

}  // namespace dexlock
