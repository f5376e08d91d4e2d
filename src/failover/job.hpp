// One command of a package while it runs: in the package's tree, in a process group of its own, for
// a limited time.
//
// Threads: one.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "failover/children.hpp"
#include "failover/package_tree.hpp"
#include "package/resource.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

// What of its output is kept: the last so many bytes; without its complaints, those on stderr are
// thrown away.
struct JobOutput {
  std::size_t bytes_max = 1'024;
  bool complaints = true;
};

class Job {
 public:
  // `more`: settings on top of those of the step. `not_after`: its program is not begun later, and
  // dies with this process; the child itself looks at the clock, last of all, for it may be stopped
  // before, and this process with it: who wakes up first is not known.
  Job(const Step& step, const PackageTree& tree, const std::vector<std::string>& more,
      Children& children, const JobOutput& kept = {},
      std::optional<std::chrono::nanoseconds> not_after = {});
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  ~Job();  // kills its process group, if it has not ended; waits for nothing

  // Its end, once it has come; when its time is over it is killed first. Reads what it says.
  [[nodiscard]] std::optional<StepEnd> ended();
  // Readable when it has ended; when it has said something. -1: that will not be.
  [[nodiscard]] int end_fd() const { return handle_.get(); }
  [[nodiscard]] int output_fd() const { return output_.get(); }
  // What it has left behind may go on to speak there, and must not be kept from it.
  [[nodiscard]] UniqueFd take_output() { return std::move(output_); }
  [[nodiscard]] std::chrono::nanoseconds deadline() const { return deadline_; }

 private:
  void look();
  void read_output();

  Children& children_;
  const std::size_t said_max_;
  std::chrono::nanoseconds deadline_;
  UniqueFd handle_;
  UniqueFd output_;
  pid_t pid_ = -1;
  std::optional<StepEnd> end_;
  std::string said_;  // the last of it
};

}  // namespace dexlock
