#include "cli/run_options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/command_line.hpp"
#include "cli/parse.hpp"
#include "cli/run_notes.hpp"
#include "cli/sharing_options.hpp"
#include "cli/signal_names.hpp"
#include "system/duration_text.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

bool read_optional(const std::string& text, const std::string& what,
                   std::optional<milliseconds>& value) {
  if (text.empty()) {
    return true;
  }
  milliseconds read{};
  if (!read_duration(text, kLeaseLimits, what, read)) {
    return false;
  }
  value = read;
  return true;
}

}  // namespace

std::optional<int> read_run_options(std::span<const std::string> words, RunOptions& options) {
  CLI::App app(
      "Runs COMMAND while holding the lock NAME. If the lock is lost, COMMAND is stopped before "
      "anybody else may start.",
      "dex-lock run");
  app.group("Hold a lock")->footer(std::string(kRunNotes));
  std::string timeout = "30";
  std::string stop_timeout = "0";
  std::string wait;
  std::string signal = "TERM";
  app.add_option("--timeout", timeout, "seconds without a majority after which the lock is lost")
      ->type_name("SECONDS")
      ->capture_default_str();
  app.add_option("--stop-timeout", stop_timeout,
                 "seconds that others wait longer, to stop COMMAND in")
      ->type_name("SECONDS")
      ->capture_default_str();
  auto* wait_option =
      app.add_option("--wait", wait, "seconds to wait for the lock; default: for ever")
          ->type_name("SECONDS");
  auto* try_flag = app.add_flag("--try", options.lease.try_once, "do not wait for a live holder");
  try_flag->excludes(wait_option);
  auto* also_option = app.add_option("--also", options.also,
                                     "another lock to hold, all or none; as often as you like")
                          ->type_name("NAME")
                          ->allow_extra_args(false);
  app.add_option("--any", options.any,
                 "hold one only, of NAME and these, whichever is free first; needs -- before "
                 "COMMAND")
      ->type_name("NAME")
      ->excludes(also_option);
  app.add_flag("--fifo", options.lease.fifo,
               "hand the lock on strictly in the order of coming, for one more round trip");
  app.add_option("--signal", signal, "first signal of the stop, before KILL")
      ->type_name("SIGNAL")
      ->capture_default_str();
  SharingOptions sharing;
  sharing.add_to(app);
  app.add_option("-E,--conflict-exit-code", options.not_acquired,
                 "exit status if the lock is not to be had, not in time, or --try and busy")
      ->check(CLI::Range(0, 255))
      ->capture_default_str();
  std::string max_run;
  app.add_option("--max-run", max_run, "stop COMMAND when it has run for so long: status 123")
      ->type_name("SECONDS");
  std::string min_hold;
  app.add_option("--min-hold", min_hold,
                 "keep the lock at least for so long after it was acquired, also when COMMAND has "
                 "ended and run with it")
      ->type_name("SECONDS");
  RunHooks& hooks = options.hooks;
  app.add_option("--before", hooks.before,
                 "shell command that says by its status whether to ask for the lock at all")
      ->type_name("COMMAND");
  app.add_option("--on-acquire", hooks.on_acquire,
                 "shell command to run under the lock first; if it fails, COMMAND is not started")
      ->type_name("COMMAND");
  app.add_option("--fence-previous", hooks.fence_previous,
                 "shell command to run under the lock before all else if the holder before did not "
                 "give it up; COMMAND is only started once it has succeeded")
      ->type_name("COMMAND");
  app.add_option("--on-degraded", hooks.on_degraded,
                 "shell command to run when renewals are not confirmed in time any more")
      ->type_name("COMMAND");
  app.add_option("--on-lost", hooks.on_lost,
                 "shell command to run when the lock was lost and COMMAND is stopped")
      ->type_name("COMMAND");
  std::string hook_limit = "60";
  app.add_option("--hook-timeout", hook_limit, "seconds that each of these may take")
      ->type_name("SECONDS")
      ->capture_default_str();
  app.add_option("--watchdog", options.watchdog,
                 "device, such as /dev/watchdog, that resets this machine if COMMAND cannot be "
                 "stopped before others may have the lock");
  app.add_flag("!--no-cgroup", options.cgroup, "no control group of its own for COMMAND");
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
      (wait.empty() || read_duration(wait, kStopLimits, "--wait", wait_limit)) &&
      read_optional(max_run, "--max-run", options.max_run) &&
      read_optional(min_hold, "--min-hold", options.min_hold) &&
      read_duration(hook_limit, kLeaseLimits, "--hook-timeout", hooks.limit);
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
  options.lease.fences = !hooks.fence_previous.empty();
  return std::nullopt;
}

std::vector<std::string> names_asked_for(const RunOptions& options) {
  std::vector<std::string> names = options.any;
  names.push_back(options.lease.name);
  names.insert(names.end(), options.also.begin(), options.also.end());
  return names;
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
  if (!options.hooks.on_degraded.empty()) {
    line(ladder.degraded_at, "--on-degraded is run");
  }
  line(ladder.signal_at, signal_name(options.signal) + " to the command and all it has started");
  line(ladder.kill_at, "KILL to what is left of it");
  line(options.lease.timeout, "the lock is lost");
  if (!options.watchdog.empty()) {
    line(ladder.gone_by, "at the latest the watchdog resets this machine, if anything is left");
  }
  line(ladder.gone_by, "others may have it");
  if (options.max_run) {
    complain("from when the command was started:");
    line(*options.max_run, signal_name(options.signal) + " to the command and all it has started");
    line(*options.max_run + (ladder.kill_at - ladder.signal_at), "KILL to what is left of it");
  }
}

}  // namespace dexlock
