// The `who` of a record: "USER@HOST pid N COMMAND", what people see when they ask who holds a lock.
// For people only: nothing is ever decided by it.
//
// Threads: who_text is a pure function; who_here asks the system.
#pragma once

#include <sys/types.h>

#include <string>

namespace dexlock {

struct WhoParts {
  std::string user;
  std::string host;  // shown up to its first dot
  pid_t pid{};
  std::string command;
};

// Unescaped, cut at the end of a character so that its escaped form has at most kWhoBytesMax bytes.
std::string who_text(const WhoParts& parts);

// This user and this host.
WhoParts who_here(pid_t pid, std::string command);

}  // namespace dexlock
