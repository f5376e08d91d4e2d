// The supervisor's dealings with the guard of its package. There is always one; it is told what it
// must know to act alone, and the supervisor knows what it must know to act in the guard's place.
//
// Threads: one.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dexlock/error.hpp"
#include "failover/children.hpp"
#include "failover/guard_link.hpp"
#include "failover/guard_message.hpp"
#include "failover/guard_trace.hpp"
#include "failover/last_will.hpp"
#include "failover/package_settings.hpp"

namespace dexlock {

class GuardWatch {
 public:
  // `directory`: of the package on this host; `program`: words that start a guard.
  GuardWatch(std::filesystem::path directory, std::vector<std::string> program, std::string host,
             Children& children)
      : directory_(std::move(directory)),
        program_(std::move(program)),
        host_(std::move(host)),
        children_(children) {}

  // Finds the guard, or starts one, and tells it the settings. A guard that does not answer is
  // killed; what it, or one that was killed, has left is stopped. io.
  [[nodiscard]] Result<void> open(const PackageSettings& settings);
  // It was, when the guard was opened: empty, or why the package may still be there. Nothing: there
  // was no such guard.
  [[nodiscard]] const std::optional<std::string>& left() const { return left_; }
  void tell_settings(const PackageSettings& settings);
  // What fences this host; nothing: there is no command for it.
  [[nodiscard]] std::optional<Step> fence(const PackageSettings& settings) const;

  void tell(const Words& words) const { link_->tell(words); }
  void tell_alive();
  // What it says of the lease is noted; the rest is for the caller.
  [[nodiscard]] Heard hear(Words& words);

  // As the guard has told: it knows best by which settings it was sought.
  [[nodiscard]] const HeldLease& lease() const { return lease_; }
  // It is stopping the package on its own, as it said when it was found.
  [[nodiscard]] bool is_busy() const { return link_->greeting().busy; }

  // It is stopped, or hangs: when the lease ends it has to act.
  [[nodiscard]] bool is_late() const;
  void kill() const { link_->kill(); }
  // In the place of one that is gone. Empty, or why the package may still be there. Nothing else is
  // done meanwhile.
  [[nodiscard]] std::string stop_package();
  // One that is gone has left nothing.
  void forget_left() const { forget_trace(directory_); }

  // When to tell_alive() and, if the lease is held, to see whether it is late.
  enum class Holds { no, yes };
  [[nodiscard]] std::chrono::nanoseconds next_time(Holds holds) const;
  [[nodiscard]] int fd() const { return link_->fd(); }

 private:
  [[nodiscard]] Result<void> end_left(const PackageSettings& settings, const std::string& why);
  [[nodiscard]] std::string stop_left(const GuardTrace& trace, std::vector<ProcessStat> heads,
                                      std::chrono::nanoseconds kill_at);
  [[nodiscard]] std::vector<ProcessStat> inherited() const;
  void take_will(const PackageSettings& settings);
  [[nodiscard]] std::chrono::nanoseconds late_at() const;

  const std::filesystem::path directory_;
  const std::vector<std::string> program_;
  const std::string host_;
  Children& children_;
  std::optional<GuardLink> link_;
  std::string lock_;
  Will will_;
  HeldLease lease_;
  std::optional<std::string> left_;
  std::chrono::nanoseconds told_alive_{};
};

}  // namespace dexlock
