#include "failover/program_output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "process/environment.hpp"
#include "system/boot_time.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {
namespace {

constexpr std::size_t kAnswerBytesMax = 1 << 20;
constexpr int kNoProgram = 127;
constexpr int kKilledBySignal = 128;

// The child: nothing here may need a lock that another thread could have held.
[[noreturn]] void answer(char* const* words, char* const* environment, int output, bool both) {
  ::setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const int nothing = ::open("/dev/null", O_RDWR);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(both ? output : nothing, STDERR_FILENO);
  ::execvpe(words[0], words, environment);
  ::_exit(kNoProgram);
}

// False: it is not over, and its time or its room is.
bool read_all(int fd, std::string& said, std::chrono::nanoseconds until) {
  std::array<char, 4096> bytes{};
  while (said.size() <= kAnswerBytesMax) {
    pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - boot_time());
    if (left.count() <= 0) {
      return false;
    }
    if (::poll(&readable, 1, static_cast<int>(left.count())) <= 0) {
      continue;
    }
    const ssize_t got = ::read(fd, bytes.data(), bytes.size());
    if (got <= 0 && errno != EINTR) {
      return got == 0;
    }
    said.append(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  }
  return false;
}

}  // namespace

StepEnd output_of(const Step& step, Streams streams) {
  std::array<int, 2> pipe{-1, -1};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
    return {.status = kNoProgram, .output = std::strerror(errno)};
  }
  const UniqueFd mine(pipe[0]);
  UniqueFd its(pipe[1]);
  std::vector<std::string> words = step.words;
  std::vector<std::string> variables = environment_with(step.settings);
  const std::vector<char*> arguments = pointers(words);
  const std::vector<char*> environment = pointers(variables);
  const pid_t pid = ::fork();
  if (pid == 0) {
    answer(arguments.data(), environment.data(), its.get(), streams == Streams::both);
  }
  if (pid < 0) {
    return {.status = kNoProgram, .output = std::strerror(errno)};
  }
  ::setpgid(pid, pid);  // on both sides: whoever comes first
  its.reset();
  StepEnd end;
  end.timed_out = !read_all(mine.get(), end.output, boot_time() + step.limit);
  if (end.timed_out) {
    ::kill(-pid, SIGKILL);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  end.status = WIFSIGNALED(status) ? kKilledBySignal + WTERMSIG(status) : WEXITSTATUS(status);
  return end;
}

}  // namespace dexlock
