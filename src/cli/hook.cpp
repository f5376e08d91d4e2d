#include "cli/hook.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "cli/command_line.hpp"
#include "cli/die_of.hpp"
#include "cli/sentinel.hpp"
#include "process/environment.hpp"

namespace dexlock {
namespace {

constexpr int kNotRun = 127;

}  // namespace

Hook::Hook(std::string option, const std::string& command, const std::vector<std::string>& settings,
           std::chrono::milliseconds limit)
    : option_(std::move(option)), deadline_(boot_time() + limit) {
  std::vector<std::string> words = shell_words(command);
  std::vector<std::string> variables = settings;
  const std::vector<char*> arguments = pointers(words);
  const std::vector<char*> environment = environment_with(variables);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    const int nothing = ::open("/dev/null", O_RDONLY);
    if (::getppid() == parent && ::dup2(nothing, STDIN_FILENO) == STDIN_FILENO) {
      ::execve(arguments[0], arguments.data(), environment.data());
    }
    ::_exit(kNotRun);
  }
  if (pid_ < 0) {
    complain_at_once(option_ + " cannot be run: " + std::strerror(errno));
    status_ = kNotRun;
    return;
  }
  ::setpgid(pid_, pid_);  // on both sides: whoever comes first
  handle_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

Hook::~Hook() { end(); }

void Hook::end() {
  if (!status_) {
    ::kill(-pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    status_ = kSignalExit + SIGKILL;
  }
}

std::chrono::nanoseconds Hook::time_left() const {
  return std::max(deadline_ - boot_time(), std::chrono::nanoseconds(0));
}

std::optional<int> Hook::ended() {
  int status = 0;
  if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    status_ = WIFSIGNALED(status) ? kSignalExit + WTERMSIG(status) : WEXITSTATUS(status);
  }
  if (!status_ && time_left().count() == 0) {
    complain_at_once(option_ + " took too long and was killed");
    end();
  }
  return status_;
}

std::optional<int> run_hook(Hook& hook, const CaughtSignals& signals, int& signal) {
  while (true) {
    if (const auto status = hook.ended()) {
      return status;
    }
    std::array<pollfd, 2> watched{pollfd{hook.fd(), POLLIN, 0}, pollfd{signals.fd(), POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(hook.time_left());
    ::poll(watched.data(), watched.size(), static_cast<int>(left.count()));
    while (const auto came = signals.next()) {
      if (ends_the_wait(*came)) {
        signal = *came;
        return std::nullopt;
      }
    }
  }
}

}  // namespace dexlock
