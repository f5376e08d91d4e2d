#include "cli/run_command.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <thread>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/guarded_process.hpp"
#include "cli/parse.hpp"
#include "cli/sentinel.hpp"
#include "cli/sharing_options.hpp"
#include "cli/signal_names.hpp"
#include "dexlock/exit_status.hpp"
#include "dexlock/lease.hpp"
#include "lease/timing.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kReleaseLimit{5'000};
constexpr int kSignalExit = 128;

// While a group that was killed has not vanished yet, and while a stop is awaited, it is looked at
// so often.
constexpr milliseconds kGroupPoll{20};

constexpr std::array kForwarded{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
constexpr std::array kEndingTheWait{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

struct RunOptions {
  LeaseOptions lease;
  std::vector<std::string> also;
  std::vector<std::string> any;  // or one of these instead
  int signal = SIGTERM;
  bool verbose = false;
  std::vector<std::string> command;
};

std::optional<int> read_options(std::span<const std::string> words, RunOptions& options) {
  CLI::App app(
      "Runs COMMAND while holding the lock NAME. If the lock is lost, COMMAND is stopped before "
      "anybody else may start.",
      "dex-lock run");
  std::string timeout = "30";
  std::string stop_timeout = "0";
  std::string wait;
  std::string signal = "TERM";
  app.add_option("--timeout", timeout, "seconds without a majority after which the lock is lost")
      ->capture_default_str();
  app.add_option("--stop-timeout", stop_timeout,
                 "seconds that others wait longer, to stop COMMAND in")
      ->capture_default_str();
  auto* wait_option =
      app.add_option("--wait", wait, "seconds to wait for the lock; default: for ever");
  auto* try_flag = app.add_flag("--try", options.lease.try_once, "do not wait for a live holder");
  try_flag->excludes(wait_option);
  auto* also_option = app.add_option("--also", options.also,
                                     "another lock to hold, all or none; as often as you like")
                          ->allow_extra_args(false);
  app.add_option("--any", options.any,
                 "hold one only, of NAME and these, whichever is free first; needs -- before "
                 "COMMAND")
      ->excludes(also_option);
  app.add_flag("--fifo", options.lease.fifo,
               "hand the lock on strictly in the order of coming, for one more round trip");
  app.add_option("--signal", signal, "first signal of the stop, before KILL")
      ->capture_default_str();
  SharingOptions sharing;
  sharing.add_to(app);
  app.add_flag("-v,--verbose", options.verbose, "say what happens");
  app.add_option("NAME", options.lease.name, "lock to hold")->required();
  // Behind `--` all is the command's. Without it, all behind NAME is.
  const auto dashes = std::ranges::find(words, "--");
  if (dashes == words.end()) {
    app.add_option("COMMAND", options.command, "command and arguments, after --")->required();
    app.positionals_at_end();
  }
  if (const auto status = parse_words(app, {words.begin(), dashes})) {
    return status;
  }
  if (dashes != words.end()) {
    options.command.assign(dashes + 1, words.end());
  } else if (!options.any.empty()) {
    complain("run: with --any, -- must stand before COMMAND; see dex-lock run --help");
    return static_cast<int>(ExitStatus::usage);
  }
  if (options.command.empty()) {
    complain("run: COMMAND is required; see dex-lock run --help");
    return static_cast<int>(ExitStatus::usage);
  }
  const auto shares = sharing.read();
  if (!shares) {
    return static_cast<int>(ExitStatus::usage);
  }
  options.lease.sharing = *shares;
  milliseconds wait_limit{};
  const auto number = signal_number(signal);
  if (!number) {
    complain("--signal: no signal \"" + signal + "\"");
  }
  const bool fine =
      number && read_duration(timeout, kLeaseLimits, "--timeout", options.lease.timeout) &&
      read_duration(stop_timeout, kStopLimits, "--stop-timeout", options.lease.stop_timeout) &&
      (wait.empty() || read_duration(wait, kStopLimits, "--wait", wait_limit));
  if (!fine) {
    return static_cast<int>(ExitStatus::usage);
  }
  if (!wait.empty()) {
    options.lease.wait = wait_limit;
    // No time to wait: one try, which takes the time that it takes.
    if (wait_limit.count() == 0) {
      options.lease.wait.reset();
      options.lease.try_once = true;
    }
  }
  options.signal = *number;
  options.lease.command = options.command.front();
  return std::nullopt;
}

int run_status_of(const Error& error) {
  switch (error.code) {
    case Errc::bad_argument:
      return static_cast<int>(ExitStatus::usage);
    case Errc::held_by_other:
    case Errc::no_quorum:
    case Errc::lease_lost:
      return static_cast<int>(ExitStatus::not_acquired);
    default:
      return static_cast<int>(ExitStatus::failed);
  }
}

// The signals that reach this process, as a descriptor.
class Signals {
 public:
  Signals() {
    sigset_t set;
    sigemptyset(&set);
    std::ranges::for_each(kForwarded, [&set](int signal) { sigaddset(&set, signal); });
    ::pthread_sigmask(SIG_BLOCK, &set, &before_);
    fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~Signals() { ::close(fd_); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] std::optional<int> next() const {
    signalfd_siginfo info{};
    return ::read(fd_, &info, sizeof info) == sizeof info
               ? std::optional(static_cast<int>(info.ssi_signo))
               : std::nullopt;
  }

 private:
  sigset_t before_{};
  int fd_ = -1;
};

// Ends this process by `signal`, as the command ended: the caller's shell sees the same.
int die_of(int signal) {
  const rlimit no_core{};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::signal(signal, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  ::raise(signal);
  ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  return kSignalExit + signal;
}

struct Acquired {
  Result<std::unique_ptr<Lease>> lease;
  std::optional<int> signal;  // ended the wait
};

std::vector<std::string> pool(const RunOptions& options) {
  std::vector<std::string> names = options.any;
  names.push_back(options.lease.name);
  return names;
}

// Waits for the lock, and for signals meanwhile.
Acquired acquire(const RunOptions& options, const Signals& signals) {
  Acquired acquired{.lease = fail(Errc::io, "cannot wait for the lock"), .signal = std::nullopt};
  const int done = ::eventfd(0, EFD_CLOEXEC);
  std::stop_source stop;
  std::thread waiting([&] {
    acquired.lease = options.any.empty()
                         ? Lease::acquire_all(options.lease, options.also, stop.get_token())
                         : Lease::acquire_any(options.lease, pool(options), stop.get_token());
    constexpr std::uint64_t kOne = 1;
    static_cast<void>(::write(done, &kOne, sizeof kOne));
  });
  std::array<pollfd, 2> watched{pollfd{signals.fd(), POLLIN, 0}, pollfd{done, POLLIN, 0}};
  while (watched[1].revents == 0) {
    ::poll(watched.data(), watched.size(), -1);
    while (const auto signal = signals.next()) {
      if (std::ranges::find(kEndingTheWait, *signal) != kEndingTheWait.end()) {
        acquired.signal = signal;
        stop.request_stop();
      }
    }
  }
  waiting.join();
  ::close(done);
  return acquired;
}

// Watches the command while the lease runs, and takes it down the ladder when the lease ends.
class Guardian {
 public:
  Guardian(const RunOptions& options, Lease& lease, GuardedProcess& process, const Signals& signals)
      : options_(options),
        lease_(lease),
        process_(process),
        signals_(signals),
        ladder_(stop_ladder({.lease = options.lease.timeout, .stop = options.lease.stop_timeout})),
        timer_(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {}
  ~Guardian() { ::close(timer_); }
  Guardian(const Guardian&) = delete;
  Guardian& operator=(const Guardian&) = delete;

  // Returns when the command has ended and, if the lock was lost, all that has come of it.
  void watch() {
    while (!finished()) {
      step_ladder();
      process_.set_deadline(boot_time() + ladder_.kill_at - elapsed());
      wait();
      pass_signals();
      process_.reap();
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
    if (!stopping_ && !process_.unguarded()) {  // else all that was left had to end as well
      ended_at_ -= boot_time() - process_.ended_at();
    }
  }

  // A command that ended when its time was over may have worked too long.
  [[nodiscard]] bool lost() const {
    return stopping_ || process_.overdue() || ended_at_ >= nanoseconds(options_.lease.timeout);
  }
  [[nodiscard]] bool late() const { return ended_at_ > ladder_.gone_by; }

 private:
  [[nodiscard]] bool finished() const {
    return process_.ended() && !((stopping_ || process_.unguarded()) && process_.anything_left());
  }

  // Time since the lease began. Once the command is being stopped a renewal that comes late changes
  // nothing any more: the ladder goes on from where it began.
  [[nodiscard]] nanoseconds elapsed() const {
    return stopping_ ? stopping_from_ + (boot_time() - stopping_at_) : lease_.elapsed();
  }

  // Nothing in here may wait for anybody.
  void step_ladder() {
    const nanoseconds so_far = elapsed();
    const bool begins =
        !stopping_ && !process_.ended() && (!lease_.holds() || so_far >= ladder_.signal_at);
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
      complain_at_once(
          "lock " + options_.lease.name + " is lost: " +
          (why.empty() ? "no majority of the lock servers confirmed it in time" : why) +
          "; stopping the command");
    }
  }

  // Until the next rung of the ladder, on a clock that runs through suspend, or whatever happens
  // before.
  void wait() {
    const nanoseconds next = (stopping_ ? ladder_.kill_at : ladder_.signal_at) - elapsed();
    // The deadline is put off with each renewal.
    const nanoseconds renewal = nanoseconds(options_.lease.timeout) / 5;
    nanoseconds pause = std::clamp(next, nanoseconds(1), renewal);
    if (stopping_ || process_.unguarded()) {
      pause = next.count() > 0 ? std::min<nanoseconds>(pause, kGroupPoll) : kGroupPoll;
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(pause);
    const itimerspec spec{
        .it_interval = {},
        .it_value = {.tv_sec = seconds.count(), .tv_nsec = (pause - seconds).count()}};
    ::timerfd_settime(timer_, 0, &spec, nullptr);
    std::array<pollfd, 4> watched{pollfd{signals_.fd(), POLLIN, 0}, pollfd{timer_, POLLIN, 0},
                                  pollfd{stopping_ ? -1 : lease_.loss_fd(), POLLIN, 0},
                                  pollfd{process_.ended() ? -1 : process_.news_fd(), POLLIN, 0}};
    ::poll(watched.data(), watched.size(), -1);
  }

  void pass_signals() {
    while (const auto signal = signals_.next()) {
      if (!process_.ended()) {
        process_.signal_all(*signal);
      }
    }
  }

  // Job control: the guardian stops with its command, so that the shell sees one stopped job.
  void stop_with_it() {
    if (stopping_) {
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

  const RunOptions& options_;
  Lease& lease_;
  GuardedProcess& process_;
  const Signals& signals_;
  StopLadder ladder_;
  int timer_;
  bool stopping_ = false;
  nanoseconds stopping_from_{};  // so far into the lease
  nanoseconds stopping_at_{};    // on the clock that runs through suspend
  nanoseconds ended_at_{};
};

int not_run_status(const std::string& command, int error) {
  complain("cannot run " + command + ": " + std::strerror(error));
  return static_cast<int>(error == ENOENT ? ExitStatus::not_found : ExitStatus::not_executable);
}

int hold_and_run(const RunOptions& options, Lease& lease, const Signals& signals,
                 Sentinel& sentinel) {
  std::string tokens;
  for (const auto& [name, token] : lease.tokens()) {
    tokens += (tokens.empty() ? "" : " ") + name + '=' + std::to_string(token);
    if (options.verbose) {
      complain("lock " + name + " held with token " + std::to_string(token));
    }
  }
  // Whoever was paused after the grant may wake up when others have the lock.
  const StopLadder ladder =
      stop_ladder({.lease = options.lease.timeout, .stop = options.lease.stop_timeout});
  if (!lease.holds() || lease.elapsed() >= ladder.signal_at) {
    complain("lock " + options.lease.name + " is lost before the command was started");
    static_cast<void>(lease.release(kReleaseLimit));
    return static_cast<int>(ExitStatus::lost);
  }
  auto process = GuardedProcess::start(
      sentinel, {"DEXLOCK_TOKENS=" + tokens, "DEXLOCK_TOKEN=" + std::to_string(lease.token()),
                 "DEXLOCK_NAME=" + options.lease.name});
  if (!process) {
    static_cast<void>(lease.release(kReleaseLimit));
    return not_run_status(options.command.front(), process.error().error);
  }
  Guardian guardian(options, lease, *process, signals);
  guardian.watch();
  process->take_terminal();
  sentinel.let_go();
  if (const auto released = lease.release(kReleaseLimit); !released) {
    complain(released.error().text);
  }
  if (guardian.lost()) {
    return static_cast<int>(guardian.late() ? ExitStatus::lost_late : ExitStatus::lost);
  }
  const int status = process->wait_status();
  return WIFSIGNALED(status) ? die_of(WTERMSIG(status)) : WEXITSTATUS(status);
}

}  // namespace

int run_command(std::span<const std::string> words) {
  RunOptions options;
  if (const auto status = read_options(words, options)) {
    return *status;
  }
  if (options.verbose) {
    options.lease.on_wait = [last = std::string()](const std::string& why) mutable {
      if (why != last) {
        complain("waiting: " + why);
        last = why;
      }
    };
  }
  auto sentinel = Sentinel::begin(options.command);
  if (!sentinel) {
    complain(sentinel.error().text);
    return static_cast<int>(ExitStatus::failed);
  }
  const Signals signals;
  const Acquired acquired = acquire(options, signals);
  if (!acquired.lease) {
    if (acquired.signal) {
      return die_of(*acquired.signal);
    }
    complain(acquired.lease.error().text);
    return run_status_of(acquired.lease.error());
  }
  if (acquired.signal) {
    static_cast<void>((*acquired.lease)->release(kReleaseLimit));
    return die_of(*acquired.signal);
  }
  Lease& lease = **acquired.lease;
  if (!options.any.empty()) {
    options.lease.name = lease.tokens().begin()->first;
  }
  return hold_and_run(options, lease, signals, *sentinel);
}

}  // namespace dexlock
