// Reads what a package is, and asks its agents about themselves: all at once, and without waiting
// for any of them.
//
// Threads: one.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dexlock/error.hpp"
#include "failover/children.hpp"
#include "failover/job.hpp"
#include "failover/package_settings.hpp"
#include "failover/package_tree.hpp"

namespace dexlock {

class PackageLoad {
 public:
  PackageLoad(const std::string& name, Children& children);
  PackageLoad(const PackageLoad&) = delete;
  PackageLoad& operator=(const PackageLoad&) = delete;

  // Its result, once it is there. bad_argument: no such name or package; bad_config, in one line;
  // io.
  [[nodiscard]] std::optional<Result<PackageSettings>> go_on();

  // When to go on, at the latest; and what to watch.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> next_time() const;
  [[nodiscard]] std::vector<int> fds() const;

 private:
  struct Question {
    std::size_t resource = 0;
    std::unique_ptr<Job> job;
  };

  [[nodiscard]] Result<PackageSettings> result() const;

  Result<PackageSettings> settings_;
  PackageTree tree_;
  std::vector<Question> questions_;
};

// Waits for it: where nobody is kept waiting, and no other children are.
[[nodiscard]] Result<PackageSettings> load_package(const std::string& name);

}  // namespace dexlock
