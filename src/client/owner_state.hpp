// The state of one owner of one lock between its one-shot calls, and the turn that its calls take.
//
// Invariants:  a call changes the state only while it has the turn; a turn file is never renamed or
// removed. Threads:     one at a time.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "dexlock/error.hpp"
#include "session/saved.hpp"
#include "system/small_file.hpp"

namespace dexlock {

class OwnerState {
 public:
  // `lock_file`: key_file_name() of the lock; `owner`: OwnerIdentity::key.
  OwnerState(const std::filesystem::path& state_dir, const std::string& lock_file,
             const std::string& owner);

  // Waits until no other call of this owner is under way. store_busy: not in time.
  [[nodiscard]] Result<void> take_turn(std::chrono::milliseconds limit);

  // What is saved; with a fresh random client id where nothing is, or nothing usable.
  [[nodiscard]] Saved load() const;
  [[nodiscard]] static Saved blank();
  [[nodiscard]] Result<void> save(const Saved& saved) const;
  void forget() const;

 private:
  [[nodiscard]] bool is_in_place() const;

  std::filesystem::path directory_;
  std::filesystem::path file_;
  std::string whose_;  // stands in the file: a copy under another name is another's
  std::filesystem::path turn_file_;
  UniqueFd turn_;
};

}  // namespace dexlock
