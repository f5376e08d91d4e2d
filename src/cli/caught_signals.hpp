// The signals that `run` passes on, as a descriptor. They are blocked in the thread that makes this
// and in all that it starts. Those that the caller has ignored (nohup, a shell's background job)
// stay ignored: blocked, they would come all the same.
//
// Threads: one.
#pragma once

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <optional>

namespace dexlock {

inline constexpr std::array kForwardedSignals{SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                              SIGUSR1, SIGUSR2, SIGWINCH};

// Where there is no command to pass it on to, or not yet.
[[nodiscard]] inline bool ends_the_wait(int signal) {
  return signal == SIGHUP || signal == SIGINT || signal == SIGQUIT || signal == SIGTERM;
}

class CaughtSignals {
 public:
  CaughtSignals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : kForwardedSignals) {
      struct sigaction now {};
      if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler != SIG_IGN) {
        sigaddset(&set, signal);
      }
    }
    ::pthread_sigmask(SIG_BLOCK, &set, &before_);
    fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~CaughtSignals() { ::close(fd_); }
  CaughtSignals(const CaughtSignals&) = delete;
  CaughtSignals& operator=(const CaughtSignals&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] std::optional<int> next() const {
    signalfd_siginfo info{};
    return ::read(fd_, &info, sizeof info) == sizeof info
               ? std::optional(static_cast<int>(info.ssi_signo))
               : std::nullopt;
  }

 private:
  sigset_t before_{};
  int fd_ = -1;
};

}  // namespace dexlock
