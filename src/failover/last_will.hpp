// Stops a package when its lease ends or its supervisor is gone: what was told to be done then,
// with nobody left to ask.
//
//   stop the resources, the last first -> kill all that is left -> stopped
//     one fails: kill all, go on with the next; then stop them all again
//     one fails again, or it is late: kill all, fence this host
//
// One that hangs has its share of the time, no more: an address below it is still taken away.
//
// Threads: one.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "failover/children.hpp"
#include "failover/guard_message.hpp"
#include "failover/job.hpp"
#include "failover/package_tree.hpp"

namespace dexlock {

class LastWill {
 public:
  // `kill_at`: no polite stop goes on then. On the clock that runs through suspend.
  // `settings`: NAME=VALUE for all steps.
  LastWill(const Will& will, const PackageTree& tree, Children& children,
           std::vector<std::string> settings, std::chrono::nanoseconds kill_at);

  // Goes on with it. Its result, once it is done: empty, or why the package may still be there.
  [[nodiscard]] std::optional<std::string> go_on();

  // When to go on, at the latest; and what to watch, -1: nothing.
  [[nodiscard]] std::chrono::nanoseconds next_time() const;
  [[nodiscard]] int end_fd() const { return job_ ? job_->end_fd() : -1; }
  [[nodiscard]] int output_fd() const { return job_ ? job_->output_fd() : -1; }

 private:
  enum class Phase { stop, sweep, fence, done };

  void begin(const Step& step, std::chrono::nanoseconds limit);
  void give_up(const std::string& why);
  void stop_next();
  void on_stop(const StepEnd& end);

  const Will& will_;
  const PackageTree& tree_;
  Children& children_;
  std::vector<std::string> settings_;
  std::chrono::nanoseconds kill_at_;
  Phase phase_ = Phase::stop;
  std::size_t at_ = 0;
  int tries_ = 0;
  bool failed_ = false;  // one of them, in this try
  std::chrono::nanoseconds sweep_until_{};
  std::string trouble_;
  std::optional<Job> job_;
};

}  // namespace dexlock
