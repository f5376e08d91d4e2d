// Where a command that runs under a lock reads how long it has: a file that only lives as long as
// `run` does, so that nothing is left to clean.
//
// Threads: one writer; readers in any process of this user.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "dexlock/error.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

class DeadlineFile {
 public:
  // io: it could not be made.
  [[nodiscard]] static Result<DeadlineFile> create();

  [[nodiscard]] std::string path() const;

  // On the clock that runs through suspend. Never later than it is.
  void set(std::chrono::nanoseconds deadline) const;

 private:
  explicit DeadlineFile(UniqueFd file) : file_(std::move(file)) {}

  UniqueFd file_;
};

// Nothing: there is no such file any more, or it is none.
[[nodiscard]] std::optional<std::chrono::nanoseconds> read_deadline(const std::string& path);

}  // namespace dexlock
