// Drives the state machine of a package on this host: tells it what happens, and has its guard do
// what it wants done.
//
// Invariants:  while the package may run here it has a guard; without one it is stopped at once.
// Threads:     one.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "dexlock/error.hpp"
#include "failover/children.hpp"
#include "failover/guard_orders.hpp"
#include "failover/guard_watch.hpp"
#include "failover/package_settings.hpp"
#include "package/package_machine.hpp"

namespace dexlock {

class PackageDriver {
 public:
  // `settings`: as they are by now, see new_settings(). `on_change`: the state is another one.
  PackageDriver(const PackageSettings& settings, GuardWatch guard,
                std::function<void(PackageState from, PackageState to)> on_change);
  PackageDriver(const PackageDriver&) = delete;
  PackageDriver& operator=(const PackageDriver&) = delete;

  // First of all: finds the package with its guard, or starts a guard. io.
  [[nodiscard]] Result<void> begin();
  void wish(const Wish& wish);
  void new_settings();
  // What time has brought.
  void go_on();
  void hear();
  // May be called once the machine may leave.
  void end() const { guard_.tell({"end"}); }

  [[nodiscard]] const PackageMachine& machine() const { return machine_; }
  [[nodiscard]] std::uint64_t token() const { return guard_.lease().token; }

  // When to go_on(), at the latest; when to hear().
  [[nodiscard]] std::chrono::nanoseconds next_time() const;
  [[nodiscard]] int fd() const { return guard_.fd(); }

 private:
  void replace_guard(const std::string& why);
  [[nodiscard]] bool is_late() const { return machine_.holds() && guard_.is_late(); }
  void on_message(const Words& words);
  void obey(const PackageMachine::Acts& acts);
  void obey(Act act);
  void on_stop(bool well, const std::string& why);
  void on_done(const GuardOrders::Done& done);

  const PackageSettings& settings_;
  PackageMachine machine_;
  GuardWatch guard_;
  GuardOrders orders_;
  std::function<void(PackageState, PackageState)> on_change_;
  PackageState told_ = PackageState::standby;
  std::optional<std::chrono::nanoseconds> seek_again_at_;
};

}  // namespace dexlock
