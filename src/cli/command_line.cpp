#include "cli/command_line.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <span>
#include <string_view>

#include "cli/change_commands.hpp"
#include "cli/doctor_command.hpp"
#include "cli/guard_command.hpp"
#include "cli/history_command.hpp"
#include "cli/list_command.hpp"
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

struct Command {
  std::string_view name;
  int (*run)(std::span<const std::string> words);
  bool is_link;  // also a program of its own, as documented
  std::string_view summary;
};

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
    Command{"show", show_command, false, "the same as show-lock; with --json for programs"},
    Command{"list", list_command, false, "list locks, who holds them, how many wait"},
    Command{"history", history_command, false, "who had a lock, and how that ended"},
    Command{"doctor", doctor_command, false, "check everything, and say what to do"},
    Command{"top", top_command, false, "watch locks and servers on a full screen"},
    Command{"status", status_command, false, "show the lock servers; 0 = a majority"},
    Command{"serve", serve_command, false, "be a lock server for many clients"},
    Command{"lock-server-init", server_init_command, true, "check a lock server's store at boot"},
};

std::string program_name = "dex-lock";

int usage(std::FILE* to) {
  std::fputs("usage: dex-lock COMMAND [OPTION]... (dex-lock COMMAND --help says more)\n\n", to);
  for (const Command& command : kCommands) {
    std::fprintf(to, "  %-18s %s\n", std::string(command.name).c_str(),
                 std::string(command.summary).c_str());
  }
  std::fputs("\nexit status:\n", to);
  for (const ExitStatusText& row : kExitStatuses) {
    std::fprintf(to, "  %3d  %s: %s\n", static_cast<int>(row.status),
                 std::string(row.commands).c_str(), std::string(row.meaning).c_str());
  }
  return static_cast<int>(std::fflush(to) == 0 ? ExitStatus::ok : ExitStatus::damaged);
}

}  // namespace

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

void complain_at_once(const std::string& text) {
  pollfd to{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  constexpr std::size_t kPipeTakes = 2048;  // what fits for sure where there is room at all
  if (::poll(&to, 1, 0) == 1 && (to.revents & POLLOUT) != 0) {
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
      return command.run(rest);
    }
  }
  if (rest.empty()) {
    usage(stderr);
    return static_cast<int>(ExitStatus::usage);
  }
  for (const Command& command : kCommands) {
    if (rest.front() == command.name) {
      return command.run(rest.subspan(1));
    }
  }
  if (rest.front() == "--help" || rest.front() == "-h" || rest.front() == "help") {
    return usage(stdout);
  }
  if (rest.front() == "--version") {
    std::puts("dex-lock " DEXLOCK_VERSION);
    return static_cast<int>(std::fflush(stdout) == 0 ? ExitStatus::ok : ExitStatus::damaged);
  }
  complain("no command \"" + rest.front() + "\"; see dex-lock --help");
  return static_cast<int>(ExitStatus::usage);
}

}  // namespace dexlock
