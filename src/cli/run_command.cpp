#include "cli/run_command.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "cli/caught_signals.hpp"
#include "cli/command_line.hpp"
#include "cli/deadline_file.hpp"
#include "cli/duration_text.hpp"
#include "cli/guarded_process.hpp"
#include "cli/guardian.hpp"
#include "cli/parse.hpp"
#include "cli/run_options.hpp"
#include "cli/sentinel.hpp"
#include "cli/sharing_options.hpp"
#include "cli/signal_names.hpp"
#include "dexlock/exit_status.hpp"
#include "dexlock/lease.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kReleaseLimit{5'000};
constexpr int kSignalExit = 128;

constexpr std::array kEndingTheWait{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

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
  app.add_option("-E,--conflict-exit-code", options.not_acquired,
                 "exit status if the lock is not to be had, not in time, or --try and busy")
      ->check(CLI::Range(0, 255))
      ->capture_default_str();
  app.add_flag("--explain", options.explain, "first say what will happen when if it is lost");
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

void explain(const RunOptions& options) {
  const StopLadder ladder = ladder_of(options);
  const auto line = [](nanoseconds at, const std::string& what) {
    complain("  after " + duration_text(std::chrono::duration_cast<milliseconds>(at)) + ": " +
             what);
  };
  complain(
      "from when the last renewal was sent that a majority has confirmed; one goes out every " +
      duration_text(options.lease.timeout / 5));
  line(ladder.signal_at, signal_name(options.signal) + " to the command and all it has started");
  line(ladder.kill_at, "KILL to what is left of it");
  line(options.lease.timeout, "the lock is lost");
  line(ladder.gone_by, "others may have it");
}

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
Acquired acquire(const RunOptions& options, const CaughtSignals& signals) {
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

int not_run_status(const std::string& command, int error) {
  complain("cannot run " + command + ": " + std::strerror(error));
  return static_cast<int>(error == ENOENT ? ExitStatus::not_found : ExitStatus::not_executable);
}

int hold_and_run(const RunOptions& options, Lease& lease, const CaughtSignals& signals,
                 Sentinel& sentinel) {
  std::string tokens;
  for (const auto& [name, token] : lease.tokens()) {
    tokens += (tokens.empty() ? "" : " ") + name + '=' + std::to_string(token);
    if (options.verbose) {
      complain("lock " + name + " held with token " + std::to_string(token));
    }
  }
  const auto too_late = [&] {
    complain("lock " + options.lease.name + " is lost before the command was started");
    static_cast<void>(lease.release(kReleaseLimit));
    return static_cast<int>(ExitStatus::lost);
  };
  // Whoever was paused after the grant may wake up when others have the lock.
  const StopLadder ladder = ladder_of(options);
  if (!lease.holds() || lease.elapsed() >= ladder.signal_at) {
    return too_late();
  }
  const auto deadline_file = DeadlineFile::create();
  if (!deadline_file) {
    complain(deadline_file.error().text);
    static_cast<void>(lease.release(kReleaseLimit));
    return static_cast<int>(ExitStatus::failed);
  }
  const nanoseconds began = boot_time() - lease.elapsed();
  deadline_file->set(began + ladder.signal_at);
  auto process = GuardedProcess::start(
      sentinel,
      {"DEXLOCK_TOKENS=" + tokens, "DEXLOCK_TOKEN=" + std::to_string(lease.token()),
       "DEXLOCK_NAME=" + options.lease.name, "DEXLOCK_DEADLINE_FILE=" + deadline_file->path()},
      began + ladder.kill_at);
  if (!process) {
    if (process.error().error == ETIME) {
      return too_late();
    }
    static_cast<void>(lease.release(kReleaseLimit));
    return not_run_status(options.command.front(), process.error().error);
  }
  Guardian guardian(options, lease, *process, signals, *deadline_file);
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
  if (options.explain) {
    explain(options);
  }
  auto sentinel = Sentinel::begin(options.command);
  if (!sentinel) {
    complain(sentinel.error().text);
    return static_cast<int>(ExitStatus::failed);
  }
  const CaughtSignals signals;
  const Acquired acquired = acquire(options, signals);
  if (!acquired.lease) {
    if (acquired.signal) {
      return die_of(*acquired.signal);
    }
    complain(acquired.lease.error().text);
    return run_status_of(options, acquired.lease.error());
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
