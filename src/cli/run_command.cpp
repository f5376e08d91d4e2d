#include "cli/run_command.hpp"

#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cli/caught_signals.hpp"
#include "cli/command_line.hpp"
#include "cli/deadline_file.hpp"
#include "cli/die_of.hpp"
#include "cli/front.hpp"
#include "cli/guarded_process.hpp"
#include "cli/guardian.hpp"
#include "cli/hook.hpp"
#include "cli/run_options.hpp"
#include "cli/sentinel.hpp"
#include "cli/waiting.hpp"
#include "dexlock/exit_status.hpp"
#include "dexlock/lease.hpp"
#include "process/cgroup.hpp"
#include "process/environment.hpp"
#include "process/watchdog.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kReleaseLimit{5'000};

// The sentinel's programs.
enum Program : std::size_t { kCommand, kOnAcquire, kFencePrevious };

int run_status_of(const RunOptions& options, const Error& error) {
  switch (error.code) {
    case Errc::bad_argument:
      return static_cast<int>(ExitStatus::usage);
    case Errc::held_by_other:
    case Errc::no_quorum:
    case Errc::lease_lost:
      return options.not_acquired;
    default:
      return static_cast<int>(ExitStatus::failed);
  }
}

int watchdog_status(const Error& error) {
  complain("--watchdog: " + error.text);
  return static_cast<int>(error.code == Errc::bad_argument ? ExitStatus::usage
                                                           : ExitStatus::failed);
}

// What is done with the lock, from the grant to the release. Nobody who does not read what it says
// keeps it from any of this.
class Holding {
 public:
  Holding(const RunOptions& options, std::unique_ptr<Lease> lease, const CaughtSignals& signals,
          Sentinel& sentinel, const Cgroup* group, Front* front, DeadlineFile deadline_file)
      : options_(options),
        held_(std::move(lease)),
        lease_(*held_),
        sentinel_(sentinel),
        group_(group),
        front_(front),
        signals_(signals),
        deadline_file_(std::move(deadline_file)),
        watched_{options, lease_, signals, deadline_file_, settings()},
        granted_at_(boot_time() - lease_.elapsed()) {}

  // The status to end with, as waitpid tells it.
  int go() {
    if (const auto previous = lease_.previous()) {
      if (const auto status = fence(*previous)) {
        return *status;
      }
    }
    if (!options_.hooks.on_acquire.empty()) {
      if (const auto status = prepare(kOnAcquire, "--on-acquire", {})) {
        return *status;
      }
    }
    const Done command = work(kCommand, options_.max_run);
    if (command.failure) {
      return give_up(exit_with(*command.failure));
    }
    sentinel_.let_go();  // and ends while the lock is released
    if (command.too_long && !command.lost) {
      complain_at_once("the command ran for longer than --max-run and was stopped");
    }
    const int status =
        command.failed_by_time ? exit_with(*command.failed_by_time) : command.wait_status;
    if (!command.lost) {
      stay(status);
      release();
    }
    tell_loss();
    return status;
  }

 private:
  struct Done {
    std::optional<int> failure;  // it was not run: the status to end with
    std::optional<ExitStatus> failed_by_time;
    int wait_status = 0;
    std::optional<int> told_to_end;  // by this signal
    bool lost = false;
    bool too_long = false;
  };

  static int exit_with(int status) { return W_EXITCODE(status, 0); }
  static int exit_with(ExitStatus status) { return exit_with(static_cast<int>(status)); }

  [[nodiscard]] std::vector<std::string> settings() const {
    std::string tokens;
    for (const auto& [name, token] : lease_.tokens()) {
      tokens += (tokens.empty() ? "" : " ") + name + '=' + std::to_string(token);
    }
    return {"DEXLOCK_TOKENS=" + tokens, "DEXLOCK_TOKEN=" + std::to_string(lease_.token()),
            "DEXLOCK_NAME=" + options_.lease.name,
            "DEXLOCK_DEADLINE_FILE=" + deadline_file_.path()};
  }

  // Runs one of the programs to its end, under the lock.
  Done work(Program program, std::optional<milliseconds> limit,
            const std::vector<std::string>& more_settings = {}) {
    Done done;
    // Whoever was paused after the grant may wake up when others have the lock.
    const StopLadder ladder = ladder_of(options_);
    const nanoseconds began = boot_time() - lease_.elapsed();
    if (!lease_.holds() || lease_.elapsed() >= ladder.signal_at) {
      done.failure = too_late();
      return done;
    }
    // Armed while there is work, and no longer.
    std::optional<Watchdog> watchdog;
    if (!options_.watchdog.empty()) {
      auto opened = Watchdog::open(options_.watchdog, ladder);
      if (!opened) {
        done.failure = watchdog_status(opened.error());
        return done;
      }
      watchdog = std::move(*opened);
      if (!may_feed(lease_.elapsed(), watchdog->time(), ladder)) {
        watchdog->disarm();
        done.failure = too_late();
        return done;
      }
    }
    const Watchdog* armed = watchdog ? &*watchdog : nullptr;
    deadline_file_.set(began + ladder.signal_at);
    std::vector<std::string> settings = watched_.settings;
    settings.insert(settings.end(), more_settings.begin(), more_settings.end());
    auto process = GuardedProcess::start(
        {.sentinel = sentinel_, .program = program, .settings = settings, .group = group_},
        began + ladder.kill_at);
    if (!process) {
      disarm(armed);
      const int error = process.error().error;
      done.failure = error == ETIME ? too_late() : not_run(program, error);
      return done;
    }
    Guardian guardian(watched_, *process, limit, armed);
    guardian.watch();
    disarm(armed);  // nothing is left that must end
    if (process->unguarded() && !guardian.lost()) {
      complain_at_once("the sentinel of the command was killed, and the command with it");
    }
    process->take_terminal();
    done.wait_status = process->wait_status();
    done.told_to_end = guardian.told_to_end();
    done.lost = guardian.lost();
    done.too_long = guardian.ran_too_long();
    if (done.lost) {
      done.failed_by_time = guardian.late() ? ExitStatus::lost_late : ExitStatus::lost;
    } else if (done.too_long) {
      done.failed_by_time = ExitStatus::ran_too_long;
    }
    lost_ = lost_ || done.lost;
    return done;
  }

  static void disarm(const Watchdog* watchdog) {
    if (watchdog != nullptr) {
      watchdog->disarm();
    }
  }

  // It stays the previous one for whoever comes next, unless this succeeds.
  std::optional<int> fence(const Predecessor& previous) {
    const std::size_t at = previous.who.find('@');
    const std::string host = at == std::string::npos
                                 ? ""
                                 : previous.who.substr(at + 1, previous.who.find(' ', at) - at - 1);
    const auto status =
        prepare(kFencePrevious, "--fence-previous",
                {"DEXLOCK_PREVIOUS_TOKEN=" + std::to_string(previous.token),
                 "DEXLOCK_PREVIOUS_OWNER=" + previous.who, "DEXLOCK_PREVIOUS_HOST=" + host});
    if (status) {
      return status;
    }
    if (const auto recorded = lease_.fenced(options_.lease.timeout); !recorded) {
      complain_at_once("it cannot be recorded that the previous holder is fenced: " +
                       recorded.error().text + "; the command was not started");
      return give_up(exit_with(ExitStatus::failed));
    }
    return std::nullopt;
  }

  // A status as waitpid tells it: the command is not to be started.
  std::optional<int> prepare(Program program, const std::string& option,
                             const std::vector<std::string>& more_settings) {
    const Done done = work(program, options_.hooks.limit, more_settings);
    if (done.failure) {
      return give_up(exit_with(*done.failure));
    }
    if (done.lost) {
      tell_loss();
      return exit_with(*done.failed_by_time);
    }
    if (const auto signal = interrupted_by(done)) {
      complain_at_once(option + " was interrupted; the command was not started");
      return give_up(W_EXITCODE(0, *signal));
    }
    if (done.too_long || done.wait_status != 0) {
      complain_at_once(
          option + ' ' +
          (done.too_long ? "took too long" : "failed: " + wait_status_text(done.wait_status)) +
          "; the command was not started");
      return give_up(exit_with(ExitStatus::failed));
    }
    return std::nullopt;
  }

  // A signal to `run`, whatever the hook made of it; or a key at the terminal, which the hook has.
  static std::optional<int> interrupted_by(const Done& done) {
    const int status = done.wait_status;
    const bool by_key =
        WIFSIGNALED(status) && (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGQUIT);
    return by_key ? std::optional(WTERMSIG(status)) : done.told_to_end;
  }

  int too_late() {
    complain_at_once("lock " + options_.lease.name + " is lost before the command was started");
    lost_ = true;
    return static_cast<int>(ExitStatus::lost);
  }

  int not_run(Program program, int error) {
    if (error == ECHILD) {
      complain_at_once(
          "the sentinel, which was to start the command, was killed; the command was not started");
      return static_cast<int>(ExitStatus::failed);
    }
    complain_at_once("cannot run " + (program == kCommand ? options_.command.front() : "/bin/sh") +
                     ": " + std::strerror(error));
    const bool short_of =
        error == EMFILE || error == ENFILE || error == EAGAIN || error == ENOMEM;  // not its fault
    return static_cast<int>(short_of          ? ExitStatus::failed
                            : error == ENOENT ? ExitStatus::not_found
                                              : ExitStatus::not_executable);
  }

  // What a hook may have left ends before others can have the lock.
  int give_up(int status) {
    sentinel_.end();
    release();
    tell_loss();
    return status;
  }

  static std::string wait_status_text(int status) {
    return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                               : "status " + std::to_string(WEXITSTATUS(status));
  }

  // The window of --min-hold, which the caller does not wait for.
  void stay(int wait_status) {
    if (front_ == nullptr) {
      return;
    }
    sentinel_.end();
    front_->let_go(wait_status);
    wait_until(granted_at_ + *options_.min_hold, lease_, signals_);
  }

  // The last that is done with the lease. While the servers are told, what guarded the work goes,
  // but for the cgroup: should we be killed, it is the proof that the work has ended.
  void release() {
    const auto told = std::make_shared<std::promise<Result<void>>>();
    auto outcome = told->get_future();
    const auto at_once = [](const std::function<void()>& call) { call(); };
    Lease::async_release(std::move(held_), kReleaseLimit, at_once,
                         [told](Result<void> released) { told->set_value(std::move(released)); });
    sentinel_.end();
    if (const auto released = outcome.get(); !released && !lost_) {
      complain_at_once(released.error().text);
    }
  }

  void tell_loss() {
    if (lost_ && !options_.hooks.on_lost.empty()) {
      Hook hook("--on-lost", options_.hooks.on_lost, watched_.settings, options_.hooks.limit);
      int signal = 0;
      static_cast<void>(run_hook(hook, signals_, signal));
    }
  }

  const RunOptions& options_;
  std::unique_ptr<Lease> held_;
  Lease& lease_;  // until release()
  Sentinel& sentinel_;
  const Cgroup* group_;
  Front* front_;
  const CaughtSignals& signals_;
  const DeadlineFile deadline_file_;
  const Guardian::Watched watched_;
  nanoseconds granted_at_;  // on the clock that runs through suspend
  bool lost_ = false;
};

// Nothing: it may ask for the lock.
std::optional<int> ask_before(const RunOptions& options, const CaughtSignals& signals) {
  if (options.hooks.before.empty()) {
    return std::nullopt;
  }
  std::string names;
  for (const std::string& name : names_asked_for(options)) {
    names += (names.empty() ? "" : " ") + name;
  }
  // Of a pool nobody knows yet which one it will be.
  const std::string name = options.any.empty() ? options.lease.name : "";
  Hook hook("--before", options.hooks.before, {"DEXLOCK_NAME=" + name, "DEXLOCK_NAMES=" + names},
            options.hooks.limit);
  int signal = 0;
  const auto status = run_hook(hook, signals, signal);
  if (!status) {
    return W_EXITCODE(0, signal);
  }
  if (*status == 0) {
    return std::nullopt;
  }
  complain("lock " + names + " is not asked for: --before said " + std::to_string(*status));
  return W_EXITCODE(options.not_acquired, 0);
}

// As waitpid tells it.
int run(RunOptions& options, Front* front) {
  if (!options.watchdog.empty()) {  // before it waits for the lock
    const auto watchdog = Watchdog::open(options.watchdog, ladder_of(options));
    if (!watchdog) {
      return W_EXITCODE(watchdog_status(watchdog.error()), 0);
    }
    watchdog->disarm();
  }
  const auto group = options.cgroup ? Cgroup::make() : std::nullopt;
  const Cgroup* in_group = group ? &*group : nullptr;
  auto sentinel = Sentinel::begin({options.command, shell_words(options.hooks.on_acquire),
                                   shell_words(options.hooks.fence_previous)},
                                  in_group);
  if (!sentinel) {
    complain(sentinel.error().text);
    return W_EXITCODE(static_cast<int>(ExitStatus::failed), 0);
  }
  // The window of --min-hold outlives all work.
  if (group && !options.min_hold) {
    options.lease.work = WorkPlace{.cgroup = group->path(), .process = sentinel->pid()};
  }
  const CaughtSignals signals;
  if (const auto status = ask_before(options, signals)) {
    return *status;
  }
  Acquired acquired = wait_for_lock(options, signals);
  if (acquired.signal) {
    if (acquired.lease) {
      static_cast<void>((*acquired.lease)->release(kReleaseLimit));
    }
    return W_EXITCODE(0, *acquired.signal);
  }
  if (!acquired.lease) {
    complain(acquired.lease.error().text);
    return W_EXITCODE(run_status_of(options, acquired.lease.error()), 0);
  }
  Lease& lease = **acquired.lease;
  if (!options.any.empty()) {
    options.lease.name = lease.tokens().begin()->first;
  }
  if (options.verbose) {
    for (const auto& [name, token] : lease.tokens()) {
      complain_at_once("lock " + name + " held with token " + std::to_string(token));
    }
  }
  auto deadline_file = DeadlineFile::create();
  if (!deadline_file) {
    static_cast<void>(lease.release(kReleaseLimit));
    complain(deadline_file.error().text);
    return W_EXITCODE(static_cast<int>(ExitStatus::failed), 0);
  }
  return Holding(options, std::move(*acquired.lease), signals, *sentinel, in_group, front,
                 std::move(*deadline_file))
      .go();
}

// What lock servers are reached by ends before this process does.
int end_run(int wait_status) {
  static_cast<void>(Lease::wait_for_background(kReleaseLimit));
  return end_like(wait_status);
}

}  // namespace

int run_command(std::span<const std::string> words) {
  ::mallopt(M_ARENA_MAX, 1);  // its second thread needs no memory of its own
  RunOptions options;
  if (const auto status = read_run_options(words, options)) {
    return *status;
  }
  if (options.explain) {
    explain(options);
  }
  if (!options.min_hold) {
    return end_run(run(options, nullptr));
  }
  std::optional<int> status;
  auto front = Front::begin(status);
  if (!front) {
    complain(front.error().text);
    return static_cast<int>(ExitStatus::failed);
  }
  return status ? *status : end_run(run(options, &*front));
}

}  // namespace dexlock
