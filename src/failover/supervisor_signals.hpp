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
  // From here on they wait, also for another program that this process becomes.
  static void block() {
    const sigset_t set = all();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  }

  // Blocks them.
  SupervisorSignals() {
    block();
    const sigset_t set = all();
    fd_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }

  // The next one that has come.
  [[nodiscard]] std::optional<int> take() const {
    signalfd_siginfo info{};
    const bool got = ::read(fd_.get(), &info, sizeof info) == sizeof info;
    return got ? std::optional(static_cast<int>(info.ssi_signo)) : std::nullopt;
  }

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  static sigset_t all() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal :
         {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGCHLD, SIGPIPE}) {
      sigaddset(&set, signal);
    }
    return set;
  }

  UniqueFd fd_;
};

}  // namespace dexlock
