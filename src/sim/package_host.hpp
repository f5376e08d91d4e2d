// A host that keeps a failover package under the lock: the production PackageMachine as its
// supervisor, the session and the stop at the end of the lease as its guard. Supervisors are killed
// apart from guards, looks and stops go wrong, operators change their minds.
//
// Threads: none.
#pragma once

#include "package/package_machine.hpp"
#include "sim/lease_client.hpp"

namespace dexlock::sim {

class PackageHost : public LeaseClient {
 public:
  PackageHost(std::size_t index, Surroundings& around);

 protected:
  void on_granted(FencingToken token) override;
  void on_lost(const std::string& why) override;
  void on_released() override;
  void begin_release() override;
  [[nodiscard]] Nanoseconds work_limit() const override { return ladder().kill_at; }
  void on_own_timer() override;
  [[nodiscard]] std::optional<Nanoseconds> own_timer() const override;
  void on_killed() override;
  void on_rebooted() override;
  void on_healed() override;
  void on_work_stopped() override;
  [[nodiscard]] std::string state_text() const override;

 private:
  enum class Aim { idle, waiting, holding, will, releasing, done };

  // The supervisor.
  void begin_supervisor();
  void kill_supervisor();
  void obey(const PackageMachine::Acts& acts);
  void begin(Act act);
  void finish(Act act);
  void answer_look();
  void answer_stop(bool done);
  void change_wish();
  void leave_once_served();

  // The guard.
  void seek();
  void seek_soon();
  void begin_will(const std::string& why);
  void end_will();
  void guard_timers();

  [[nodiscard]] Nanoseconds share(std::int64_t of) const;  // of the lease, at random
  [[nodiscard]] bool goes_wrong() const;

  Aim aim_ = Aim::idle;
  std::optional<PackageMachine> machine_;
  Wish wish_;
  std::optional<Act> doing_;  // what the guard runs for the supervisor
  Nanoseconds done_at_{};
  std::optional<Nanoseconds> supervisor_at_;  // it is started again
  std::optional<Nanoseconds> kill_at_;        // it is killed
  std::optional<Nanoseconds> wish_at_;
  std::optional<Nanoseconds> seek_at_;
  Nanoseconds alone_until_{};  // the guard waits for a supervisor
  Nanoseconds will_until_{};
  Nanoseconds release_until_{};
  bool told_to_release_ = false;
  bool emergency_ = false;  // the guard was killed: the supervisor stops the package
};

}  // namespace dexlock::sim
