// The signals that a supervisor is told things by, as a descriptor: they interrupt nothing.
//
// Threads: one. Threads that are started later have them blocked as well.
#pragma once

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <optional>

#include "system/unique_fd.hpp"

namespace dexlock {

class SupervisorSignals {
 public:
  SupervisorSignals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal :
         {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGCHLD, SIGPIPE}) {
      sigaddset(&set, signal);
    }
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    fd_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }

  // The next one that has come.
  [[nodiscard]] std::optional<int> take() const {
    signalfd_siginfo info{};
    const bool got = ::read(fd_.get(), &info, sizeof info) == sizeof info;
    return got ? std::optional(static_cast<int>(info.ssi_signo)) : std::nullopt;
  }

  // For another program that this process becomes.
  static void unblock() {
    sigset_t none;
    sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  }

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
};

}  // namespace dexlock
