// Ends this process by a signal, as a command ended: the caller's shell sees the same.
//
// Threads: any.
#pragma once

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

namespace dexlock {

inline constexpr int kSignalExit = 128;  // and the number of the signal, as shells say it

// Returns the status to end with if the signal does not end a process.
inline int die_of(int signal) {
  const rlimit no_core{};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::signal(signal, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  ::raise(signal);
  ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  return kSignalExit + signal;
}

// As a child of whom waitpid has told this.
inline int end_like(int wait_status) {
  return WIFSIGNALED(wait_status) ? die_of(WTERMSIG(wait_status)) : WEXITSTATUS(wait_status);
}

}  // namespace dexlock
