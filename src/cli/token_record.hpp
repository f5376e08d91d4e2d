// The highest fencing token that has been at a resource: a file beside it, and the turn of those
// who work there now. Who has had a turn with one token is followed by none with a lower one.
//
// Invariants:  a higher token is on disk before its turn begins;
//              a turn lasts until the last process that has inherited it has ended.
// Threads:     one; any number of processes, also on other hosts if the file system has flock(2)
// for
//              all of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "dexlock/error.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

class TokenRecord {
 public:
  // For the resource at `path`, which need not exist; its directory must.
  [[nodiscard]] static Result<TokenRecord> open(const std::string& path);

  // Waits so long for whoever has the turn. held_by_other: still somebody's.
  [[nodiscard]] Result<void> take_turn(std::chrono::milliseconds wait);

  // lease_lost: a higher token of this lock has been here; bad_argument: another lock's token has;
  // io; store_damaged. Requires: the turn.
  [[nodiscard]] Result<void> raise(const std::string& lock, std::uint64_t token);

  // From now on children, and what this process becomes, have the turn too.
  void pass_on() const;

 private:
  TokenRecord(std::string path, std::string directory, UniqueFd turn)
      : path_(std::move(path)), directory_(std::move(directory)), turn_(std::move(turn)) {}

  [[nodiscard]] Result<void> write(const std::string& text) const;

  std::string path_;
  std::string directory_;
  UniqueFd turn_;
};

}  // namespace dexlock
