// What a holder leaves behind on its host for those who may find it dead there: its processes, and
// the control group that all of its work is in. With that, waiters on the same host need not wait
// until the lease of a killed holder runs out, as flock(2) users expect.
//
// Invariants:  a mark is there before its client can be granted anything;
//              what is missing, unreadable, of another boot or hidden proves nothing.
// Threads:     any.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "dexlock/lease.hpp"
#include "lock/ids.hpp"

namespace dexlock {

class HolderMarks {
 public:
  explicit HolderMarks(const std::filesystem::path& state_dir);

  // This process holds for `client`, and works there. If it cannot be written, waiters wait.
  void leave(const ClientId& client, const WorkPlace& work) const;
  void take_back(const ClientId& client) const;

  // It and all of its work have surely ended.
  [[nodiscard]] bool is_proven_dead(const ClientId& client) const;

 private:
  struct Mark;
  [[nodiscard]] std::optional<Mark> read(const ClientId& client) const;
  [[nodiscard]] std::filesystem::path file_of(const ClientId& client) const;
  void forget_old() const;

  std::filesystem::path directory_;
};

}  // namespace dexlock
