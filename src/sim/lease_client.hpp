// A client host whose process keeps a lease: waits for the lock, renews every fifth of the lease,
// stops its work by the stop ladder when renewals fail, releases. What its work is, and when it is
// begun and ended, is up to its kind.
//
// Threads: none.
#pragma once

#include "sim/actor.hpp"

namespace dexlock::sim {

class LeaseClient : public Actor {
 public:
  using Actor::Actor;

 protected:
  // What its session tells, once the world's books have it.
  virtual void on_granted(FencingToken token) = 0;
  virtual void on_lost(const std::string& why) = 0;
  virtual void on_released() = 0;
  virtual void begin_release() = 0;
  // When the guard of its work stops that, counted from the start of the lease.
  [[nodiscard]] virtual Nanoseconds work_limit() const = 0;

  void on_event(const Event& event) final;
  void save() override {}

  // By the lease that it has now: an inherited one is shorter until it is claimed.
  [[nodiscard]] StopLadder ladder() const;
  [[nodiscard]] Nanoseconds true_moment(Nanoseconds since_start) const;
  void ask();
  void renew();
  void release_session();  // requires: there is one
  // When the polite stop has come to its end.
  [[nodiscard]] Nanoseconds stop_end() const;

  static constexpr Nanoseconds kAtOnce = std::chrono::microseconds(1);

  Nanoseconds renew_boot_{};  // when to renew, on the boot clock
};

}  // namespace dexlock::sim
