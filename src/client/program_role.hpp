// Whether a program does work of its own, only runs another program for its caller (a wrapper:
// sudo, env, timeout), or starts unrelated jobs for everybody (a starter: init, cron, sshd).
//
// Wrong guesses must fall to the safe side. To look through a program that is none of the wrappers
// would make two of its callers one owner, so a wrapper is known by its executable, and by the
// short command name only where the executable cannot be seen and the argument list agrees. A
// script has its interpreter as executable and is therefore never a wrapper, whatever its name.
//
// Threads: role_of is a pure function; read_program reads /proc.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace dexlock {

struct Program {
  std::string command;  // /proc/PID/comm: at most 15 bytes, the process can change it
  std::optional<std::string> executable;  // last component, where this user may see it
  std::vector<std::string> arguments;     // the first ones
};

enum class ProgramRole { ordinary, wrapper, starter };

ProgramRole role_of(const Program& program);

Program read_program(pid_t pid, std::string command);

}  // namespace dexlock
