#include "cli/terminal.hpp"

#include <signal.h>
#include <unistd.h>

namespace dexlock {
namespace {

int terminal() { return ::isatty(STDIN_FILENO) != 0 ? STDIN_FILENO : STDERR_FILENO; }

}  // namespace

bool in_foreground() {
  return ::tcgetpgrp(STDIN_FILENO) == ::getpgrp() || ::tcgetpgrp(STDERR_FILENO) == ::getpgrp();
}

// SIGTTOU would stop a background caller.
void set_foreground(pid_t group) {
  sigset_t quiet;
  sigset_t before;
  sigemptyset(&quiet);
  sigaddset(&quiet, SIGTTOU);
  ::sigprocmask(SIG_BLOCK, &quiet, &before);
  ::tcsetpgrp(terminal(), group);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace dexlock
