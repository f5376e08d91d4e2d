// What a supervisor has its guard do with the package, one thing at a time, and what came of it.
//
//   look      at each part that is due
//   stop      the parts, and then kill what is left
//   kill      all, then stop, then kill what is left
//
// Threads: one.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "failover/guard_message.hpp"
#include "failover/package_settings.hpp"
#include "package/look_plan.hpp"

namespace dexlock {

class GuardOrders {
 public:
  using Tell = std::function<void(const Words&)>;

  struct Done {
    enum class Order { look, start, stop };
    Order order{};  // kill and fence are stops as well
    bool well = false;
    std::string why;  // not; or what a look has found
    Health health{};  // of a look
  };

  GuardOrders(const PackageSettings& settings, Tell tell)
      : settings_(settings), tell_(std::move(tell)) {}

  // What is under way is forgotten. A look at nothing that is due is done at once: what was seen
  // last stands.
  [[nodiscard]] std::optional<Done> look(PackageState state);
  void start();
  void stop();
  void kill();
  void fence(const Step& step);
  void forget() { pending_.reset(); }

  // The words of "ran". Nothing: it goes on.
  [[nodiscard]] std::optional<Done> on_ran(const Words& words);
  // The guard takes too long: what is under way has failed.
  [[nodiscard]] bool is_overdue() const;
  [[nodiscard]] std::optional<Done> give_up();

 private:
  enum class Kind { look, start, stop, sweep, fence };
  struct Pending {
    Kind kind{};
    std::string id;
    std::chrono::nanoseconds until{};
  };

  void ask(Kind kind, const std::string& mode, const std::vector<Step>& steps);
  void ask_to_stop();
  void sweep();
  [[nodiscard]] std::string next_id() { return std::to_string(++last_id_); }
  [[nodiscard]] std::optional<Done> end(const std::vector<StepEnd>& ends);
  [[nodiscard]] Done end_look(const std::vector<StepEnd>& ends);

  const PackageSettings& settings_;  // as they are by now
  Tell tell_;
  LookPlan looks_;
  std::optional<Pending> pending_;
  bool stop_after_sweep_ = false;
  int last_id_ = 0;
};

}  // namespace dexlock
