// The keeper: holds the connections of one user's commands between two of them. A command takes a
// connection, has it for itself, and gives it back; while it has it the keeper does not even know
// the descriptors. So the keeper never sends to a server, reads no answer and can lose none: if it
// dies, what a command has taken goes on, and what was kept ends.
//
// Invariants:  a connection is kept here or taken, never both; one that has ended is not given out;
//              only processes of this user and of this version take and give.
// Threads:     one.
// Never does:  look into what is said over a connection, know a lock, wait for anybody.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "dexlock/error.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

struct KeeperOptions {
  std::filesystem::path directory;  // this user's alone
  std::string version;
  std::chrono::seconds idle{60};  // without a command
  UniqueFd first;                 // a command that has started this keeper; may be none
};

// Until it has been idle for so long, nobody can call it any more, or a command of another version
// has come and all are gone. held_by_other: another one serves.
[[nodiscard]] Result<void> serve_as_keeper(KeeperOptions options);

}  // namespace dexlock
