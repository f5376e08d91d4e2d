#include "client/program_role.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "system/small_file.hpp"

namespace dexlock {
namespace {

constexpr std::size_t kCommandBytesMax = 15;  // the kernel cuts there
constexpr std::size_t kArgumentBytesRead = 4096;
constexpr std::size_t kArgumentsRead = 3;

constexpr auto kWrappers = std::to_array<std::string_view>(
    {"chroot",     "chrt",    "doas",    "env",     "flock",   "gtimeout",
     "gnutimeout", "ionice",  "ltrace",  "nice",    "nohup",   "nsenter",
     "pkexec",     "runuser", "setpriv", "setsid",  "stdbuf",  "strace",
     "su",         "su-rs",   "sudo",    "sudo-rs", "sudo.ws", "systemd-inhibit",
     "taskset",    "time",    "timeout", "unshare", "xargs"});

// dex-lock itself: who is directly under `dex-lock run` may as well be an orphan that it adopted.
constexpr auto kStarters = std::to_array<std::string_view>({"(sd-pam)",
                                                            "(systemd)",
                                                            "anacron",
                                                            "atd",
                                                            "catatonit",
                                                            "conmon",
                                                            "cron",
                                                            "crond",
                                                            "dex-lock",
                                                            "docker-init",
                                                            "dropbear",
                                                            "dumb-init",
                                                            "fcron",
                                                            "in.telnetd",
                                                            "incrond",
                                                            "inetd",
                                                            "init",
                                                            "launchd",
                                                            "linuxrc",
                                                            "login",
                                                            "openrc-init",
                                                            "openrc-run",
                                                            "podman-init",
                                                            "run0",
                                                            "runit",
                                                            "runit-init",
                                                            "runsv",
                                                            "runsvdir",
                                                            "s6-supervise",
                                                            "s6-svscan",
                                                            "start-stop-daemon",
                                                            "supervise-daemon",
                                                            "supervisord",
                                                            "svscan",
                                                            "supervise",
                                                            "tini",
                                                            "tini-static",
                                                            "udevadm",
                                                            "udevd",
                                                            "upstart",
                                                            "xinetd"});

constexpr auto kStarterBeginnings =
    std::to_array<std::string_view>({"sshd", "containerd", "systemd"});

// Programs that are many programs: the argument list says which.
constexpr auto kMulticall = std::to_array<std::string_view>(
    {"busybox", "busybox.static", "busybox.nosuid", "busybox.suid", "coreutils", "toybox"});

constexpr auto kStarterScripts = std::to_array<std::string_view>({"supervisord", "circusd"});

template <class Names>
bool holds(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// As the kernel would have cut it.
template <class Names>
bool holds_cut(const Names& names, std::string_view command) {
  return std::ranges::any_of(
      names, [&](std::string_view name) { return name.substr(0, kCommandBytesMax) == command; });
}

bool begins_like_a_starter(std::string_view name) {
  return std::ranges::any_of(kStarterBeginnings,
                             [&](std::string_view begin) { return name.starts_with(begin); });
}

std::string_view last_component(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);  // npos + 1 is 0
}

// A login shell's first argument begins with '-'.
std::string_view argument_name(const Program& program, std::size_t index) {
  if (index >= program.arguments.size()) {
    return {};
  }
  std::string_view name = last_component(program.arguments[index]);
  if (index == 0 && name.starts_with('-')) {
    name.remove_prefix(1);
  }
  return name;
}

std::string_view applet_of(const Program& program) {
  const auto first = argument_name(program, 0);
  return holds(kMulticall, first) ? argument_name(program, 1) : first;
}

ProgramRole role_of_name(std::string_view name) {
  if (holds(kWrappers, name)) {
    return ProgramRole::wrapper;
  }
  return holds(kStarters, name) || begins_like_a_starter(name) ? ProgramRole::starter
                                                               : ProgramRole::ordinary;
}

ProgramRole role_without_executable(const Program& program) {
  const std::string_view command = program.command;
  if (holds_cut(kWrappers, command)) {
    const auto first = argument_name(program, 0);
    const auto name = holds(kMulticall, first) ? argument_name(program, 1) : first;
    return name.empty() || holds(kWrappers, name) ? ProgramRole::wrapper : ProgramRole::ordinary;
  }
  return holds_cut(kStarters, command) || begins_like_a_starter(command) ? ProgramRole::starter
                                                                         : ProgramRole::ordinary;
}

std::optional<std::string> executable_of(const std::string& folder) {
  std::error_code error;
  std::string target = std::filesystem::read_symlink(folder + "exe", error).native();
  if (error) {
    return std::nullopt;
  }
  constexpr std::string_view kDeleted = " (deleted)";  // replaced by an upgrade while running
  if (target.ends_with(kDeleted)) {
    target.resize(target.size() - kDeleted.size());
  }
  return std::string(last_component(target));
}

std::vector<std::string> first_arguments(std::string_view text) {
  std::vector<std::string> arguments;
  while (!text.empty() && arguments.size() < kArgumentsRead) {
    const auto end = std::min(text.find('\0'), text.size());
    arguments.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return arguments;
}

}  // namespace

ProgramRole role_of(const Program& program) {
  if (!program.executable) {
    return role_without_executable(program);
  }
  if (holds(kMulticall, *program.executable)) {
    return role_of_name(applet_of(program));
  }
  if (program.executable->starts_with("python") &&
      (holds(kStarterScripts, program.command) ||
       holds(kStarterScripts, argument_name(program, 1)))) {
    return ProgramRole::starter;
  }
  return role_of_name(*program.executable);
}

Program read_program(pid_t pid, std::string command) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/";
  Program program{
      .command = std::move(command), .executable = executable_of(folder), .arguments = {}};
  if (const auto text = read_small(folder + "cmdline", kArgumentBytesRead)) {
    program.arguments = first_arguments(*text);
  }
  return program;
}

}  // namespace dexlock
