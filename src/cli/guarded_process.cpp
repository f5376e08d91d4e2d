#include "cli/guarded_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace dexlock {
namespace {

constexpr int kExecFailed = 127;

bool in_foreground() {
  return ::tcgetpgrp(STDIN_FILENO) == ::getpgrp() || ::tcgetpgrp(STDERR_FILENO) == ::getpgrp();
}

int terminal() { return ::isatty(STDIN_FILENO) != 0 ? STDIN_FILENO : STDERR_FILENO; }

// Makes `group` the terminal's foreground group; SIGTTOU would stop a background caller otherwise.
void set_foreground(pid_t group) {
  sigset_t quiet;
  sigset_t before;
  sigemptyset(&quiet);
  sigaddset(&quiet, SIGTTOU);
  ::sigprocmask(SIG_BLOCK, &quiet, &before);
  ::tcsetpgrp(terminal(), group);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) {
    out.push_back(text.data());
  }
  out.push_back(nullptr);
  return out;
}

// This process's environment with `settings` on top. Other threads may be reading the former.
std::vector<std::string> environment_with(const std::vector<std::string>& settings) {
  std::vector<std::string> all = settings;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string_view entry(*at);
    const std::string_view name = entry.substr(0, entry.find('=') + 1);
    const bool replaced = std::ranges::any_of(
        settings, [&](const std::string& setting) { return setting.starts_with(name); });
    if (name.empty() || !replaced) {
      all.emplace_back(entry);
    }
  }
  return all;
}

// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void become(char* const* command, char* const* environment, pid_t guardian,
                         bool foreground, int report) {
  ::setpgid(0, 0);
  if (foreground) {
    set_foreground(::getpid());
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != guardian) {
    ::_exit(kExecFailed);  // it died before the line above
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execvpe(command[0], command, environment);
  const int error = errno;
  static_cast<void>(::write(report, &error, sizeof error));
  ::_exit(kExecFailed);
}

}  // namespace

std::expected<GuardedProcess, GuardedProcess::NotRun> GuardedProcess::start(
    const std::vector<std::string>& command, const std::vector<std::string>& environment) {
  std::array<int, 2> report{};
  if (::pipe2(report.data(), O_CLOEXEC) != 0) {
    return std::unexpected(NotRun{errno});
  }
  std::vector<std::string> settings = environment_with(environment);
  const std::vector<char*> variables = pointers(settings);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  std::vector<std::string> words = command;
  const std::vector<char*> arguments = pointers(words);
  const bool foreground = in_foreground();
  const pid_t guardian = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    become(arguments.data(), variables.data(), guardian, foreground, report[1]);
  }
  const int fork_error = errno;
  ::close(report[1]);
  int error = pid < 0 ? fork_error : 0;
  if (pid > 0) {
    ::setpgid(pid, pid);  // on both sides: whoever comes first
    int told = 0;
    ssize_t got = 0;
    while ((got = ::read(report[0], &told, sizeof told)) < 0 && errno == EINTR) {
    }
    error = got == sizeof told ? told : 0;
  }
  ::close(report[0]);
  if (error != 0) {
    if (pid > 0) {
      ::waitpid(pid, nullptr, 0);
      if (foreground) {
        set_foreground(::getpgrp());
      }
    }
    return std::unexpected(NotRun{error});
  }
  return GuardedProcess(pid, foreground);
}

void GuardedProcess::signal_group(int signal) const {
  ::kill(-pid_, signal);
  ::kill(-pid_, SIGCONT);  // a stopped process acts on no signal
}

bool GuardedProcess::reap() {
  while (true) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG | WUNTRACED);
    if (pid <= 0) {
      return ended();
    }
    if (pid != pid_) {
      continue;
    }
    if (WIFSTOPPED(status)) {
      // SIGSTOP is no key that somebody pressed at a shell. Whoever sent it may have stopped us as
      // well, and may let the command go on after us: it must not run while we are stopped.
      stopped_ = WSTOPSIG(status) != SIGSTOP;
    } else {
      status_ = status;
    }
  }
}

bool GuardedProcess::take_stopped() { return std::exchange(stopped_, false); }

bool GuardedProcess::group_exists() const { return ::kill(-pid_, 0) == 0 || errno == EPERM; }

void GuardedProcess::give_terminal() const {
  if (foreground_) {
    set_foreground(pid_);
  }
}

void GuardedProcess::take_terminal() const {
  if (foreground_) {
    set_foreground(::getpgrp());
  }
}

}  // namespace dexlock
