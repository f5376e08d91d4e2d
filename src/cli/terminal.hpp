// The terminal that this process has, if any.
//
// Threads: any; set_foreground() changes the caller's signal mask for a moment.
#pragma once

#include <sys/types.h>

namespace dexlock {

[[nodiscard]] bool in_foreground();

// Makes `group` the terminal's foreground group. Safe between fork and exec.
void set_foreground(pid_t group);

}  // namespace dexlock
