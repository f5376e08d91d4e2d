// What one host does with a package, as a pure state machine: it is told what happened and answers
// with what is to be done. docs/failover.md has its table.
//
// Invariants:  start is asked for only with the lock, and after a look has found the package down;
//              the lock is released only after a look or a stop has found the package down;
//              one of probe, start, stop, fence and release is under way at a time, but that a stop
//              ends a probe or a start.
// Threads:     one.            Never does: read a clock, run anything.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "lock/instant.hpp"
#include "package/package_state.hpp"

namespace dexlock {

struct MachineSettings {
  Nanoseconds pace = std::chrono::seconds(5);            // between two looks
  Nanoseconds start_timeout = std::chrono::seconds(60);  // until a start is seen to have worked
  int migration_threshold = 1;  // so many failures here, and it is another host's turn
  // This host stands back then, longer each time, at most so long. After running well for so long
  // everything is forgotten.
  Nanoseconds failure_timeout = std::chrono::minutes(10);
  bool can_fence = false;  // there is a command for it
};

// What people and other packages want.
struct Wish {
  bool run = true;           // the package shall run, somewhere
  bool elsewhere = false;    // but not here, now
  bool leave = false;        // this supervisor is to end
  bool maintenance = false;  // nothing is done to the package, and nothing is looked at
};

enum class Act : std::uint8_t {
  seek,      // the lock; answered by granted()
  withdraw,  // from the line; a grant may be under way
  release,   // the lock; answered by released()
  probe,     // answered by probed()
  start,     // answered by started()
  stop,      // ends what is under way first; answered by stopped()
  kill,      // all processes of the package, and then stop; answered by stopped()
  fence,     // this host; answered by stopped()
};

class PackageMachine {
 public:
  using Acts = std::vector<Act>;

  PackageMachine(const MachineSettings& settings, Nanoseconds now)
      : settings_(settings), since_(now) {}

  // Has the lock: as sought, or found with a guard that has gone on without a supervisor.
  [[nodiscard]] Acts granted(Nanoseconds now);
  // Lost the lock; whoever guards it is stopping the package, which stopped() will tell.
  [[nodiscard]] Acts lost(const std::string& why, Nanoseconds now);
  [[nodiscard]] Acts released(Nanoseconds now);
  [[nodiscard]] Acts probed(Health health, const std::string& detail, Nanoseconds now);
  [[nodiscard]] Acts started(bool done, const std::string& detail, Nanoseconds now);
  [[nodiscard]] Acts stopped(bool done, const std::string& detail, Nanoseconds now);
  [[nodiscard]] Acts wish(const Wish& wish, Nanoseconds now);
  [[nodiscard]] Acts settings(const MachineSettings& settings, Nanoseconds now);
  [[nodiscard]] Acts tick(Nanoseconds now);

  // When tick() has something to do.
  [[nodiscard]] std::optional<Nanoseconds> next_time() const;

  [[nodiscard]] PackageState state() const { return state_; }
  [[nodiscard]] Nanoseconds since() const { return since_; }
  [[nodiscard]] bool holds() const { return holds_; }
  [[nodiscard]] bool seeks() const { return seeks_; }
  [[nodiscard]] int failures() const { return failures_; }
  // The latest, kept until the package has run well for failure_timeout; empty: none.
  [[nodiscard]] const std::string& error() const { return error_; }
  // Until then this host does not ask for the lock.
  [[nodiscard]] std::optional<Nanoseconds> stands_back_until(Nanoseconds now) const;
  // Nothing is left that this supervisor would be needed for.
  [[nodiscard]] bool may_leave() const;

 private:
  enum class Busy : std::uint8_t { no, probe, start, stop, release };

  static constexpr int kUnclearLimit = 3;  // looks in a row that say nothing
  static constexpr int kStopAttempts = 3;
  static constexpr Nanoseconds kFirstBar = std::chrono::seconds(10);
  static constexpr Nanoseconds kStartLook = std::chrono::milliseconds(500);

  [[nodiscard]] bool here() const { return wish_.run && !wish_.elsewhere && !wish_.leave; }
  [[nodiscard]] bool may_seek(Nanoseconds now) const {
    return here() && !wish_.maintenance && now >= barred_until_;
  }
  void enter(PackageState state, Nanoseconds now);
  void do_it(Act act, Busy busy);
  [[nodiscard]] Acts decide(Nanoseconds now);
  void decide_standby(Nanoseconds now);
  void decide_active(Nanoseconds now);
  void decide_failed(Nanoseconds now);
  void try_stop();
  void look(Nanoseconds now);
  void fail(const std::string& why, Nanoseconds now);
  void count_failure(Nanoseconds now);
  void on_health(Health health, const std::string& detail, Nanoseconds now);
  void on_unclear(const std::string& detail, Nanoseconds now);

  MachineSettings settings_;
  Wish wish_;
  PackageState state_ = PackageState::standby;
  Nanoseconds since_;
  bool holds_ = false;
  bool seeks_ = false;
  Busy busy_ = Busy::no;
  bool down_ = false;  // failed: it is known to be down
  int unclear_ = 0;
  int stops_ = 0;  // that did not work, in a row
  int failures_ = 0;
  int bars_ = 0;  // how often it has stood back since it ran well
  std::string error_;
  Nanoseconds next_look_{};
  Nanoseconds retry_at_{};  // failed: to start again, or to stop again
  Nanoseconds barred_until_ = Nanoseconds::min();
  Acts acts_;
};

}  // namespace dexlock
