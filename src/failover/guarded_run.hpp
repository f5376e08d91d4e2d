// What the supervisor wants its guard to run: the steps of a look, a start or a stop, one after the
// other; or to kill: all that is left of the package. Each is answered by "ran".
//
// Threads: one.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "failover/children.hpp"
#include "failover/guard_message.hpp"
#include "failover/job.hpp"
#include "failover/package_tree.hpp"
#include "package/resource.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

class GuardedRun {
 public:
  using Tell = std::function<void(const Words&)>;
  // Until when something may be started; nothing: not now.
  using StartUntil = std::function<std::optional<std::chrono::nanoseconds>()>;

  GuardedRun(const PackageTree& tree, Children& children, Tell tell, StartUntil start_until)
      : tree_(tree),
        children_(children),
        tell_(std::move(tell)),
        start_until_(std::move(start_until)) {}
  GuardedRun(const GuardedRun&) = delete;
  GuardedRun& operator=(const GuardedRun&) = delete;

  // The words of "run" instead of what runs; false: they are none. `settings`: NAME=VALUE for all
  // steps.
  [[nodiscard]] bool begin(const Words& words, std::vector<std::string> settings);
  void begin_killing(const std::string& id);
  void abort();
  void abort_killing() { killing_.reset(); }

  void go_on();
  // What commands have said, and what they have left running says.
  void hear();

  // When to go on, at the latest; and what to watch.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> next_time() const;
  [[nodiscard]] std::vector<int> fds() const;

 private:
  struct Run {
    std::string id;
    bool looks = false;   // the others go on when one fails
    bool starts = false;  // needs the lease
    std::vector<Step> steps;
    std::vector<std::string> settings;
    std::size_t at = 0;
    Words answer;
  };
  struct Killing {
    std::string id;
    std::chrono::nanoseconds until{};
  };

  void run_on();
  // False: it was refused.
  [[nodiscard]] bool begin_step();
  void kill_on();
  void keep_voice(UniqueFd voice);

  const PackageTree& tree_;
  Children& children_;
  Tell tell_;
  StartUntil start_until_;
  std::optional<Run> run_;
  std::optional<Job> job_;
  std::optional<Killing> killing_;
  std::list<UniqueFd> voices_;
};

}  // namespace dexlock
