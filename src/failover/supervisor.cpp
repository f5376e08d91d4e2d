#include "failover/supervisor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "failover/children.hpp"
#include "failover/cluster_watch.hpp"
#include "failover/event_log.hpp"
#include "failover/guard_link.hpp"
#include "failover/last_will.hpp"
#include "failover/placement.hpp"
#include "failover/saying.hpp"
#include "lock/fields.hpp"
#include "package/look_plan.hpp"
#include "package/package_machine.hpp"
#include "process/environment.hpp"
#include "system/boot_time.hpp"
#include "system/boot_timer.hpp"
#include "system/small_file.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Raised when what supervisor and guard say to each other changes its meaning.
constexpr std::string_view kTalkVersion = "1";
constexpr std::string_view kSupervisorFile = "supervisor";
constexpr milliseconds kAnswerGrace{10'000};  // of the guard, on top of what its work may take
constexpr milliseconds kAliveEvery{1'000};
constexpr milliseconds kRetry{1'000};    // after a refused lock
constexpr milliseconds kHungGuard{500};  // past the moment at which it has to act
constexpr std::size_t kSupervisorBytesMax = 64;

// The packages that this one depends on.
std::set<std::string> others_in(const PackageSettings& settings) {
  std::set<std::string> others;
  for (const auto* list : {&settings.together, &settings.apart, &settings.after}) {
    others.insert(list->begin(), list->end());
  }
  return others;
}

// What the guard was asked to do for the package.
struct Pending {
  enum class Kind { probe, start, stop, sweep, fence };
  Kind kind{};
  std::string id;
  nanoseconds until{};
};

class Supervisor {
 public:
  Supervisor(SupervisorOptions options, UniqueFd lock)
      : options_(std::move(options)),
        lock_(std::move(lock)),
        machine_(options_.settings.machine(), boot_time()),
        placement_(options_.host),
        events_(options_.settings.name, options_.host, children_) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // heir of what a killed guard might leave
    sigset_t set;
    sigemptyset(&set);
    for (const int signal :
         {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGCHLD, SIGPIPE}) {
      sigaddset(&set, signal);
    }
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    // Its thread inherits the blocked signals.
    watch_.emplace(
        options_.settings.name, options_.host,
        std::clamp<milliseconds>(options_.settings.pace, milliseconds(200), milliseconds(2'000)));
    watch_->regard(others_in(options_.settings));
  }

  Result<void> go() {
    if (const auto linked = link(); !linked) {
      return linked;
    }
    wish_.elsewhere = !machine_.holds();  // until the others have been looked at
    obey(machine_.wish(wish_, boot_time()));
    while (!machine_.may_leave()) {
      if (again_) {
        start_again();
      }
      tell_alive();
      obey(machine_.tick(boot_time()));
      watch_pending();
      watch_guard();
      place();
      report();
      events_.go_on();
      wait();
    }
    guard_->tell({"end"});
    report();
    watch_.reset();  // its last word is published
    events_.finish();
    return {};
  }

 private:
  // --- the guard

  Result<void> link() {
    auto opened =
        GuardLink::open(options_.directory, options_.guard_program, std::string(kTalkVersion));
    if (!opened) {
      return std::unexpected(opened.error());
    }
    guard_ = std::move(*opened);
    if (guard_->greeting().version != kTalkVersion) {
      return fail(Errc::io, "the guard of " + options_.settings.name +
                                " is of another version; stop the package here first (dex-lock "
                                "failover stop)");
    }
    lease_ = guard_->greeting().lease;
    tell_settings();
    if (lease_.token != 0) {
      say(options_.settings.name + ": found it in the keeping of its guard");
      obey(machine_.granted(boot_time()));
    }
    if (guard_->greeting().busy) {
      static_cast<void>(machine_.granted(boot_time()));
      static_cast<void>(machine_.lost("its supervisor was gone for too long", boot_time()));
    }
    return {};
  }

  void tell_settings() {
    const PackageSettings& settings = options_.settings;
    guard_->tell({"lease", std::to_string(settings.timeout.count()),
                  std::to_string(settings.stop_timeout.count()), lock_of(settings.name),
                  "failover " + settings.name + " on " + options_.host, settings.watchdog});
    will_ = {.stop = steps_of(settings, Verb::stop), .fence = fence_step()};
    Words words{"will", will_.fence ? "fence" : "stop"};
    for (const Step& step : will_.stop) {
      append_step(words, step);
    }
    if (will_.fence) {
      append_step(words, *will_.fence);
    }
    guard_->tell(words);
  }

  [[nodiscard]] std::optional<Step> fence_step() const {
    const PackageSettings& settings = options_.settings;
    if (settings.fence.empty()) {
      return std::nullopt;
    }
    return Step{.label = "fence",
                .words = shell_words(settings.fence),
                .settings = {"DEXLOCK_PACKAGE=" + settings.name, "DEXLOCK_HOST=" + options_.host},
                .limit = settings.stop_timeout};
  }

  void tell_alive() {
    if (boot_time() - told_alive_ >= kAliveEvery) {
      told_alive_ = boot_time();
      guard_->tell({"alive"});
    }
  }

  void hear() {
    Words words;
    Heard heard = Heard::message;
    while ((heard = guard_->hear(words)) == Heard::message) {
      on_message(words);
    }
    if (heard == Heard::closed) {
      replace_guard("the guard of the package was killed");
    }
  }

  void on_message(const Words& words) {
    const std::string& what = words.front();
    const nanoseconds now = boot_time();
    if (what == "granted") {
      // Without a start that is known it would count as begun long ago.
      lease_ = read_lease(words, 1).value_or(HeldLease{});
      obey(machine_.granted(now));
    } else if (what == "term" && words.size() == 2) {
      const auto at = parse_number(words[1], std::numeric_limits<std::int64_t>::max());
      lease_.term = nanoseconds(static_cast<std::int64_t>(at.value_or(0)));
    } else if (what == "waiting" && words.size() == 2) {
      waiting_ = words[1];
    } else if (what == "refused" && words.size() == 3) {
      on_refused(words[2]);
    } else if (what == "released") {
      obey(machine_.released(now));
    } else if (what == "lost" && words.size() == 2) {
      pending_.reset();
      obey(machine_.lost(words[1], now));
    } else if (what == "will" && words.size() == 3) {
      obey(machine_.stopped(words[1] == "1", words[2], now));
    } else if (what == "ran" && words.size() > 2 && pending_ && pending_->id == words[1]) {
      on_ran(words);
    }
  }

  void on_refused(const std::string& why) {
    if (machine_.seeks()) {
      waiting_ = why;
      seek_again_at_ = boot_time() + kRetry;
    }
  }

  // While the package may run here there must be a guard, and without one it is stopped at once.
  void replace_guard(const std::string& why) {
    const bool active = machine_.state() != PackageState::standby;
    pending_.reset();
    std::string trouble;
    if (active) {
      say(options_.settings.name + ": " + why + "; stopping the package");
      obey(machine_.lost(why, boot_time()));
      trouble = stop_without_guard();
    }
    if (const auto linked = link(); !linked) {
      say(linked.error().text);  // again with the next turn of the loop: nothing runs here now
      ::poll(nullptr, 0, static_cast<int>(kRetry.count()));
    }
    if (active) {
      obey(machine_.stopped(trouble.empty(), trouble, boot_time()));
    } else if (machine_.seeks()) {
      guard_->tell({"seek"});
    }
  }

  // Empty, or why it may still be there. Nothing else is done meanwhile.
  std::string stop_without_guard() {
    const PackageTree tree =
        PackageTree::left_by(guard_->greeting().mark, guard_->greeting().group);
    LastWill will(will_, tree, children_, lease_.term + lease_.kill_at);
    while (true) {
      if (const auto trouble = will.go_on()) {
        return *trouble;
      }
      pollfd end{.fd = will.fd(), .events = POLLIN, .revents = 0};
      const auto left = std::chrono::ceil<milliseconds>(will.next_time() - boot_time());
      ::poll(&end, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000)));
    }
  }

  // It is stopped, or hangs: when the lease ends it has to act.
  void watch_guard() {
    const auto is_late = [&] {
      return machine_.holds() && boot_time() >= lease_.term + lease_.signal_at + kHungGuard;
    };
    if (is_late()) {
      hear();  // it was this process that slept, perhaps
    }
    if (is_late()) {
      guard_->kill();
      replace_guard("the guard of the package did not act when the lease ended");
    }
  }

  // --- the package

  void obey(const PackageMachine::Acts& acts) {
    for (const Act act : acts) {
      switch (act) {
        case Act::seek:
          guard_->tell({"seek"});
          break;
        case Act::withdraw:
          seek_again_at_.reset();
          guard_->tell({"withdraw"});
          break;
        case Act::release:
          guard_->tell({"release"});
          break;
        case Act::probe:
          look();
          break;
        case Act::start:
          ask(Pending::Kind::start, "start", steps_of(options_.settings, Verb::start));
          break;
        case Act::stop:
          guard_->tell({"abort"});
          ask(Pending::Kind::stop, "stop", steps_of(options_.settings, Verb::stop));
          break;
        case Act::kill:
          guard_->tell({"abort"});
          stop_after_sweep_ = true;
          sweep();
          break;
        case Act::fence:
          if (const auto step = fence_step()) {
            ask(Pending::Kind::fence, "stop", {*step});
          }
          break;
      }
    }
    tell_change();
  }

  void look() {
    const PackageSettings& settings = options_.settings;
    const PackageState state = machine_.state();
    const bool all = state != PackageState::running && state != PackageState::degraded;
    const Verb verb = state == PackageState::unknown ? Verb::probe : Verb::status;
    std::vector<Step> steps;
    for (const std::size_t at : looks_.begin(settings.resources, all, boot_time())) {
      steps.push_back(step_of(settings, settings.resources[at], verb));
    }
    if (steps.empty()) {
      on_look({});  // what was seen last stands
    } else {
      ask(Pending::Kind::probe, "look", steps);
    }
  }

  void ask(Pending::Kind kind, const std::string& mode, const std::vector<Step>& steps) {
    nanoseconds limit = kAnswerGrace;
    Words words{"run", next_id(), mode};
    for (const Step& step : steps) {
      limit += step.limit;
      append_step(words, step);
    }
    pending_ = Pending{kind, words[1], boot_time() + limit};
    guard_->tell(words);
  }

  void sweep() {
    const std::string id = next_id();
    pending_ = Pending{Pending::Kind::sweep, id, boot_time() + kAnswerGrace};
    guard_->tell({"kill", id});
  }

  std::string next_id() { return std::to_string(++last_id_); }

  void watch_pending() {
    if (pending_ && boot_time() >= pending_->until) {
      end_pending(
          {StepEnd{.timed_out = true, .status = -1, .output = "the guard does not answer"}});
    }
  }

  void on_ran(const Words& words) {
    std::vector<StepEnd> ends;
    for (std::size_t at = 2; at + 2 < words.size(); at += 3) {
      int status = -1;
      std::from_chars(words[at + 1].data(), words[at + 1].data() + words[at + 1].size(), status);
      ends.push_back({.timed_out = words[at] == "1", .status = status, .output = words[at + 2]});
    }
    end_pending(ends);
  }

  void end_pending(const std::vector<StepEnd>& ends) {
    const Pending::Kind kind = std::exchange(pending_, std::nullopt)->kind;
    const nanoseconds now = boot_time();
    const bool done = std::ranges::all_of(ends, [](const StepEnd& end) { return end.status == 0; });
    const std::string why = done || ends.empty() ? "" : trouble_of(ends.back());
    switch (kind) {
      case Pending::Kind::probe:
        on_look(ends);
        break;
      case Pending::Kind::start:
        obey(machine_.started(done, why, now));
        break;
      case Pending::Kind::stop:
        if (done) {
          stop_after_sweep_ = false;
          sweep();  // nothing of it may be left
        } else {
          obey(machine_.stopped(false, why, now));
        }
        break;
      case Pending::Kind::sweep:
        if (!done || !stop_after_sweep_) {
          obey(machine_.stopped(done, done ? "" : ends.back().output, now));
        } else {
          ask(Pending::Kind::stop, "stop", steps_of(options_.settings, Verb::stop));
        }
        break;
      case Pending::Kind::fence:
        obey(machine_.stopped(done, "the fence " + why, now));
        break;
    }
  }

  void on_look(const std::vector<StepEnd>& ends) {
    const Sight sight = looks_.end(options_.settings.resources, ends);
    obey(machine_.probed(sight.health, sight.detail, boot_time()));
  }

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
    elsewhere_ = placement_.elsewhere(options_.settings, views_, machine_.state(), now);
    const Wish wish{.run = control.run,
                    .elsewhere = !elsewhere_.empty(),
                    .leave = leave_,
                    .maintenance = control.maintenance};
    wish_ = wish;
    obey(machine_.wish(wish_, now));
  }

  void report() {
    const nanoseconds now = boot_time();
    watch_->report({.state = machine_.state(),
                    .since = state_since_,
                    .token = machine_.state() == PackageState::standby ? 0 : lease_.token,
                    .failures = machine_.failures(),
                    .ready = machine_.seeks(),
                    .stands_back = machine_.stands_back_until(now).has_value(),
                    .digest = digest_of(options_.settings),
                    .error = machine_.error()});
  }

  void tell_change() {
    const PackageState state = machine_.state();
    if (state == told_state_) {
      return;
    }
    state_since_ = std::time(nullptr);
    events_.add(told_state_, state, machine_.error(), options_.settings.on_event);
    told_state_ = state;
  }

  // --- signals, waiting

  void on_signal(int signal) {
    switch (signal) {
      case SIGTERM:
      case SIGINT:
        leave_ = true;
        wish_.leave = true;
        obey(machine_.wish(wish_, boot_time()));
        break;
      case SIGHUP:
      case SIGUSR1:
        reload();
        break;
      case SIGUSR2:
        watch_->look_now();
        break;
      case SIGQUIT:
        again_ = true;
        break;
      default:
        break;
    }
  }

  void reload() {
    auto settings = options_.reload();
    if (!settings) {
      say("the settings stay as they were: " + settings.error().text);
      return;
    }
    // What is taken out would be stopped by nobody.
    if (machine_.state() != PackageState::standby &&
        settings->resources != options_.settings.resources) {
      say("the settings stay as they were: what " + settings->name +
          " consists of cannot change where it is active; stop it first");
      return;
    }
    options_.settings = std::move(*settings);
    watch_->regard(others_in(options_.settings));
    tell_settings();
    obey(machine_.settings(options_.settings.machine(), boot_time()));
    say(options_.settings.name + ": the settings were read again");
  }

  // The same process: whoever has started it sees nothing of it.
  void start_again() {
    again_ = false;
    watch_.reset();
    std::vector<std::string> words = options_.own_program;
    const std::vector<char*> arguments = pointers(words);
    sigset_t none;
    sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);  // whoever has started this starts it again
  }

  [[nodiscard]] nanoseconds next_time() const {
    const nanoseconds now = boot_time();
    nanoseconds next = told_alive_ + kAliveEvery;
    for (const auto& at : {machine_.next_time(), seek_again_at_, events_.next_time()}) {
      next = at ? std::min(next, *at) : next;
    }
    if (const auto at = placement_.next_time(); at && *at > now) {
      next = std::min(next, *at);
    }
    if (machine_.holds()) {
      next = std::min(next, lease_.term + lease_.signal_at + kHungGuard);
    }
    return std::max(next, now);
  }

  void wait() {
    timer_.set(next_time());
    std::array<pollfd, 5> watched{pollfd{guard_->fd(), POLLIN, 0},
                                  pollfd{signals_.get(), POLLIN, 0},
                                  pollfd{watch_->fd(), POLLIN, 0}, pollfd{events_.fd(), POLLIN, 0},
                                  pollfd{timer_.fd(), POLLIN, 0}};
    ::poll(watched.data(), watched.size(), -1);
    if (watched[0].revents != 0) {
      hear();
    }
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
      on_signal(static_cast<int>(info.ssi_signo));
    }
    static_cast<void>(children_.status_of(0));
    if (seek_again_at_ && boot_time() >= *seek_again_at_) {
      seek_again_at_.reset();
      guard_->tell({"seek"});
    }
  }

  SupervisorOptions options_;
  UniqueFd lock_;
  UniqueFd signals_;
  BootTimer timer_;
  Children children_;
  PackageMachine machine_;
  LookPlan looks_;
  Placement placement_;
  EventLog events_;
  std::optional<ClusterWatch> watch_;
  std::optional<GuardLink> guard_;
  Will will_;
  HeldLease lease_;  // as the guard has told; it knows best by which settings it was sought
  nanoseconds told_alive_{};
  std::optional<nanoseconds> seek_again_at_;
  std::string waiting_;
  std::string elsewhere_;
  std::optional<Pending> pending_;
  bool stop_after_sweep_ = false;
  int last_id_ = 0;
  std::map<std::string, PackageView> views_;
  bool seen_ = false;
  Wish wish_;
  PackageState told_state_ = PackageState::standby;
  std::int64_t state_since_ = std::time(nullptr);
  bool leave_ = false;
  bool again_ = false;
};

// Held as long as this process lives, with its number inside.
Result<UniqueFd> lock_directory(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / kSupervisorFile;
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0) {
    return std::unexpected(os_error(path, "cannot be opened", errno));
  }
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Errc::held_by_other, "process " + std::to_string(supervisor_in(directory)) +
                                         " supervises this package here already");
  }
  const std::string text = std::to_string(::getpid()) + '\n';
  if (::ftruncate(file.get(), 0) != 0 ||
      ::pwrite(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return std::unexpected(os_error(path, "cannot be written", errno));
  }
  return file;
}

}  // namespace

int supervisor_in(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / kSupervisorFile;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0 || ::flock(file.get(), LOCK_SH | LOCK_NB) == 0) {
    return 0;  // there is none, or nobody holds it
  }
  const auto text = read_small(file.get(), kSupervisorBytesMax);
  int pid = 0;
  if (text) {
    std::from_chars(text->data(), text->data() + text->size(), pid);
  }
  return pid;
}

Result<void> supervise(SupervisorOptions options) {
  auto lock = lock_directory(options.directory);
  if (!lock) {
    return std::unexpected(lock.error());
  }
  return Supervisor(std::move(options), std::move(*lock)).go();
}

}  // namespace dexlock
