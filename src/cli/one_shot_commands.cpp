#include "cli/one_shot_commands.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/keeper_command.hpp"
#include "cli/parse.hpp"
#include "cli/sharing_options.hpp"
#include "cli/shown_text.hpp"
#include "cli/status_of.hpp"
#include "dexlock/exit_status.hpp"
#include "dexlock/one_shot.hpp"
#include "system/duration_text.hpp"

namespace dexlock {
namespace {

// What the documented commands take: NAME, TIMEOUT, TIMEOUT2, STEP, as far as each has them.
struct Arguments {
  OneShotOptions options;
  bool verbose = false;
  bool print_token = false;
  SharingOptions sharing;
};

enum class Takes { name, timeouts, step };

// A status to end with, or nothing: go on.
std::optional<int> read_arguments(CLI::App& app, Takes takes, std::span<const std::string> words,
                                  Arguments& arguments) {
  std::string name = "default";
  std::string timeout = "30";
  std::string timeout2 = "0";
  std::string step = "1";
  std::string owner;
  app.add_option("NAME", name, "lock to use")->capture_default_str();
  if (takes != Takes::name) {
    app.add_option("TIMEOUT", timeout, "seconds without a majority after which it is lost")
        ->capture_default_str();
    app.add_option("TIMEOUT2", timeout2, "seconds that others wait longer, to stop work in")
        ->capture_default_str();
  }
  if (takes == Takes::step) {
    app.add_option("STEP", step, "seconds to your next call")->capture_default_str();
    arguments.sharing.add_to(app);
    app.add_flag("--print-token", arguments.print_token, "print the fencing token when held");
  }
  const auto* owner_option =
      app.add_option("--owner", owner, "who holds it, instead of the calling program")
          ->type_name("OWNER");
  app.add_flag("-v,--verbose", arguments.verbose, "say what happens");
  if (const auto status = parse_words(app, words)) {
    return status;
  }
  const char* from_environment = std::getenv("DEXLOCK_OWNER");
  if (owner_option->count() > 0) {
    arguments.options.owner = owner;
  } else if (from_environment != nullptr) {
    arguments.options.owner = from_environment;
  }
  const char* verbose = std::getenv("verbose");
  arguments.verbose = arguments.verbose || (verbose != nullptr && *verbose != '\0');
  arguments.options.name = name;
  const bool fine =
      read_duration(timeout, kLeaseLimits, "TIMEOUT", arguments.options.timeout) &&
      read_duration(timeout2, kStopLimits, "TIMEOUT2", arguments.options.stop_timeout) &&
      read_duration(step, kStepLimits, "STEP", arguments.options.step);
  const auto sharing = arguments.sharing.read();
  arguments.options.sharing = sharing.value_or(Sharing{});
  if (!fine || !sharing) {
    return static_cast<int>(ExitStatus::usage);
  }
  arguments.options.keeper = keeper_use();
  return std::nullopt;
}

void show(const Remarks& remarks, bool verbose, const std::string& said) {
  std::vector<std::string> shown{said};
  const auto show_once = [&](const std::string& text) {
    if (std::ranges::find(shown, text) == shown.end()) {
      complain(text);
      shown.push_back(text);
    }
  };
  std::ranges::for_each(remarks.warnings, show_once);
  if (verbose) {
    std::ranges::for_each(remarks.notes, show_once);
  }
}

int ended(const Remarks& remarks, bool verbose, const Result<void>& result) {
  show(remarks, verbose, result ? "" : result.error().text);
  if (!result) {
    complain(result.error().text);
    return status_of(result.error());
  }
  return static_cast<int>(ExitStatus::ok);
}

}  // namespace

int init_lock_command(std::span<const std::string> words) {
  CLI::App app(
      "Checks the configuration and the lock servers, and forgets this caller's own state of "
      "the lock.",
      "init-lock");
  app.group("Hold a lock in a script");
  app.footer(R"(examples:
  # once, when the list of servers is new
  init-lock --verbose
  # at the start of a script, with what it will say to get-lock
  init-lock backup 30 5
)");
  Arguments arguments;
  app.add_flag("--new-group", arguments.options.new_group,
               "the servers were made anew on purpose: form a new group");
  if (const auto status = read_arguments(app, Takes::timeouts, words, arguments)) {
    return *status;
  }
  Remarks remarks;
  const auto result = init_lock(arguments.options, remarks);
  return ended(remarks, arguments.verbose, result);
}

int get_lock_command(std::span<const std::string> words) {
  CLI::App app("Tries once to get the lock, or renews it if the caller holds it. 0: held.",
               "get-lock");
  app.group("Hold a lock in a script");
  app.footer(R"(examples:
  # the loop of a script that holds a lock for long
  while get-lock backup 30 5 1; do a_small_step; sleep 1; done
  # compared by the resource that it is shown to
  token=$(get-lock --print-token backup) && write_with "$token"
)");
  Arguments arguments;
  if (const auto status = read_arguments(app, Takes::step, words, arguments)) {
    return *status;
  }
  Remarks remarks;
  const auto result = get_lock(arguments.options, remarks);
  show(remarks, arguments.verbose, result ? "" : result.error().text);
  if (!result) {
    complain(result.error().text);
    return status_of(result.error());
  }
  if (!result->held) {
    if (arguments.verbose) {
      complain(result->reason);
    }
    return static_cast<int>(ExitStatus::not_held);
  }
  if (arguments.print_token) {
    std::printf("%llu\n", static_cast<unsigned long long>(result->token));
    if (std::fflush(stdout) != 0) {
      complain("cannot print the token");
      return static_cast<int>(ExitStatus::damaged);
    }
  }
  if (arguments.verbose) {
    complain("held with token " + std::to_string(result->token) + ", " +
             duration_text(result->left) + " left");
  }
  return static_cast<int>(ExitStatus::ok);
}

int release_lock_command(std::span<const std::string> words) {
  CLI::App app("Gives the lock up. 0: a majority has it, or the caller held nothing.",
               "release-lock");
  app.group("Hold a lock in a script");
  app.footer(R"(examples:
  # by the script that got it
  release-lock backup
  # by another program: both name the owner
  release-lock --owner night-shift backup
)");
  Arguments arguments;
  if (const auto status = read_arguments(app, Takes::timeouts, words, arguments)) {
    return *status;
  }
  Remarks remarks;
  const auto result = release_lock(arguments.options, remarks);
  return ended(remarks, arguments.verbose, result);
}

int show_lock_command(std::span<const std::string> words) {
  CLI::App app("Shows what this host and each lock server know of the lock.", "show-lock");
  app.group("See what is held");
  app.footer(R"(examples:
  # the holder, who waits in line, and what each server says
  show-lock backup
)");
  Arguments arguments;
  if (const auto status = read_arguments(app, Takes::name, words, arguments)) {
    return *status;
  }
  const auto text = show_lock(arguments.options);
  if (!text) {
    complain(text.error().text);
    return status_of(text.error());
  }
  return print(shown_lines(*text));
}

int server_init_command(std::span<const std::string> words) {
  CLI::App app(
      "On a lock server, at boot before sshd: removes what a crash may have left, checks the "
      "store.",
      "lock-server-init");
  app.group("Be a lock server");
  app.footer(R"(examples:
  # at boot, before sshd
  lock-server-init --verbose /srv/locks
)");
  std::string path;
  bool verbose = false;
  app.add_option("DIRECTORY", path, "the store; default: the configured remote_path")
      ->type_name("DIRECTORY");
  app.add_flag("-v,--verbose", verbose, "say what was found");
  if (const auto status = parse_words(app, words)) {
    return *status;
  }
  const auto found = check_lock_store(path);
  if (!found) {
    complain(found.error().text);
    return status_of(found.error());
  }
  if (verbose) {
    complain(*found);
  }
  return static_cast<int>(ExitStatus::ok);
}

}  // namespace dexlock
