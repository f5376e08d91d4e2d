#include "cli/front.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "cli/caught_signals.hpp"
#include "cli/die_of.hpp"

namespace dexlock {
namespace {

constexpr int kPollMs = 100;  // a holder that has stopped tells nobody but waitpid

int wait_for(pid_t holder, int line, const CaughtSignals& signals) {
  while (true) {
    std::array<pollfd, 2> watched{pollfd{line, POLLIN, 0}, pollfd{signals.fd(), POLLIN, 0}};
    ::poll(watched.data(), watched.size(), kPollMs);
    while (const auto signal = signals.next()) {
      ::kill(holder, *signal);
    }
    int status = 0;
    if (::read(line, &status, sizeof status) == sizeof status) {
      return end_like(status);
    }
    if (::waitpid(holder, &status, WNOHANG | WUNTRACED) != holder) {
      continue;
    }
    if (!WIFSTOPPED(status)) {
      return end_like(status);
    }
    ::raise(SIGSTOP);
    ::kill(holder, SIGCONT);
  }
}

}  // namespace

void wait_until(std::chrono::nanoseconds moment, Lease& lease, const CaughtSignals& signals) {
  const UniqueFd timer(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(moment);
  const itimerspec at{
      .it_interval = {},
      .it_value = {.tv_sec = seconds.count(), .tv_nsec = (moment - seconds).count()}};
  ::timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &at, nullptr);
  std::array<pollfd, 3> watched{pollfd{timer.get(), POLLIN, 0}, pollfd{lease.loss_fd(), POLLIN, 0},
                                pollfd{signals.fd(), POLLIN, 0}};
  while (true) {
    ::poll(watched.data(), watched.size(), -1);
    while (const auto signal = signals.next()) {
      if (ends_the_wait(*signal)) {
        return;
      }
    }
    if (watched[0].revents != 0 || watched[1].revents != 0) {
      return;
    }
  }
}

Result<Front> Front::begin(std::optional<int>& status) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(Errc::io, std::string("cannot make a pipe: ") + std::strerror(errno));
  }
  UniqueFd heard(ends[0]);
  UniqueFd spoken(ends[1]);
  const pid_t front = ::getpid();
  const pid_t holder = ::fork();
  if (holder < 0) {
    return fail(Errc::io, std::string("cannot start a process: ") + std::strerror(errno));
  }
  if (holder == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != front) {
      ::_exit(1);  // it died before the line above
    }
    return Front(std::move(spoken));
  }
  const CaughtSignals signals;
  spoken.reset();
  ::fcntl(heard.get(), F_SETFL, O_NONBLOCK);
  status = wait_for(holder, heard.get(), signals);
  return Front(UniqueFd());
}

void Front::let_go(int wait_status) {
  ::prctl(PR_SET_PDEATHSIG, 0);
  ::setsid();
  const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    ::dup2(nothing.get(), stream);
  }
  static_cast<void>(!::write(line_.get(), &wait_status, sizeof wait_status));
  line_.reset();
}

}  // namespace dexlock
