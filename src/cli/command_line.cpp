#include "cli/command_line.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <boost/system/system_error.hpp>
#include <cstdio>
#include <exception>
#include <span>
#include <string_view>

#include "cli/change_commands.hpp"
#include "cli/command.hpp"
#include "cli/command_text.hpp"
#include "cli/dashboard_command.hpp"
#include "cli/doctor_command.hpp"
#include "cli/failover_command.hpp"
#include "cli/guard_command.hpp"
#include "cli/help_text.hpp"
#include "cli/history_command.hpp"
#include "cli/keeper_command.hpp"
#include "cli/list_command.hpp"
#include "cli/manual_command.hpp"
#include "cli/one_shot_commands.hpp"
#include "cli/remaining_command.hpp"
#include "cli/run_command.hpp"
#include "cli/serve_command.hpp"
#include "cli/show_command.hpp"
#include "cli/status_command.hpp"
#include "cli/top_command.hpp"
#include "dexlock/exit_status.hpp"

namespace dexlock {
namespace {

constexpr std::array kCommands{
    Command{"run", run_command, false, "run a command while holding a lock"},
    Command{"remaining", remaining_command, false, "how long the command of a run may go on"},
    Command{"guard", guard_command, false, "run a command where no newer token has been"},
    Command{"init-lock", init_lock_command, true, "check configuration and servers"},
    Command{"get-lock", get_lock_command, true, "try once, or renew; 0 = held"},
    Command{"release-lock", release_lock_command, true, "give a lock up"},
    Command{"show-lock", show_lock_command, true, "show what is known of a lock"},
    Command{"break", break_command, false, "take a lock from a holder at once"},
    Command{"hold", hold_command, false, "grant a lock to nobody, for maintenance"},
    Command{"handover", handover_command, false, "give a lock to somebody who waits"},
    Command{"migrate", migrate_command, false, "move locks to other lock servers"},
    Command{"show", show_command, false, "the same as show-lock; with --json for programs"},
    Command{"list", list_command, false, "list locks, who holds them, how many wait"},
    Command{"history", history_command, false, "who had a lock, and how that ended"},
    Command{"doctor", doctor_command, false, "check everything, and say what to do"},
    Command{"top", top_command, false, "watch locks and servers on a full screen"},
    Command{"dashboard", dashboard_command, false, "a web page about packages and locks"},
    Command{"status", status_command, false, "show the lock servers; 0 = a majority"},
    Command{"failover", failover_command, false, "keep a service on one of several hosts"},
    Command{"keeper", keeper_command, false, "keep connections for the next commands"},
    Command{"serve", serve_command, false, "be a lock server for many clients"},
    Command{"lock-server-init", server_init_command, true, "check a lock server's store at boot"},
    Command{"manual", manual_command, false, "write the manual pages, or a shell's completion"},
};

std::string program_name = "dex-lock";

// What is no error as a value is a lack of memory, descriptors or threads.
int carry_out(const Command& command, std::span<const std::string> words) {
  std::string why;
  try {
    return command.run(words);
  } catch (const boost::system::system_error& error) {
    why = error.code().message();
  } catch (const std::exception& error) {
    why = error.what();
  }
  complain("cannot go on: " + why);
  const bool runs_another = command.run == run_command || command.run == guard_command;
  return static_cast<int>(runs_another ? ExitStatus::failed : ExitStatus::damaged);
}

}  // namespace

std::span<const Command> all_commands() { return kCommands; }

int print(const std::string& text, std::FILE* to) {
  const bool all = std::fwrite(text.data(), 1, text.size(), to) == text.size();
  return static_cast<int>(std::fflush(to) == 0 && all ? ExitStatus::ok : ExitStatus::damaged);
}

std::string complaint(const std::string& text) {
  std::string line = program_name + ": ";
  for (const char c : text) {
    line += c >= ' ' && c <= '~' ? c : '?';
  }
  return line + '\n';
}

void complain(const std::string& text) {
  const std::string line = complaint(text);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

bool stderr_takes_more() {
  pollfd to{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  return ::poll(&to, 1, 0) == 1 && (to.revents & POLLOUT) != 0;
}

void complain_at_once(const std::string& text) {
  constexpr std::size_t kPipeTakes = 2048;  // what fits for sure where there is room at all
  if (stderr_takes_more()) {
    complain(text.substr(0, kPipeTakes));
  }
}

int run_command_line(int argc, char** argv) {
  const std::vector<std::string> words(argv, argv + argc);
  const std::string called = words.empty() ? "" : words[0].substr(words[0].rfind('/') + 1);
  const std::span<const std::string> rest = std::span(words).subspan(words.empty() ? 0 : 1);
  for (const Command& command : kCommands) {
    if (command.is_link && called == command.name) {
      program_name = called;
      return carry_out(command, rest);
    }
  }
  if (rest.empty()) {
    static_cast<void>(print(overview_text(all_command_texts()), stderr));
    return static_cast<int>(ExitStatus::usage);
  }
  for (const Command& command : kCommands) {
    if (rest.front() == command.name) {
      return carry_out(command, rest.subspan(1));
    }
  }
  if (rest.front() == "--help" || rest.front() == "-h" || rest.front() == "help") {
    return print(overview_text(all_command_texts()));
  }
  if (rest.front() == "--version") {
    return print("dex-lock " DEXLOCK_VERSION "\n");
  }
  complain("no command \"" + rest.front() + "\"; see dex-lock --help");
  return static_cast<int>(ExitStatus::usage);
}

}  // namespace dexlock
