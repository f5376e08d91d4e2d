// A long-running client, as `dex-lock run` is one: waits for the lock, starts its work, renews
// every fifth of the lease, stops its work by the stop ladder when renewals fail, releases.
//
// Threads: none.
#pragma once

#include "sim/actor.hpp"

namespace dexlock::sim {

class Runner : public Actor {
 public:
  Runner(std::size_t index, Surroundings& around);

 protected:
  void on_event(const Event& event) override;
  void on_own_timer() override;
  [[nodiscard]] std::optional<Nanoseconds> own_timer() const override;
  void on_killed() override;
  void on_rebooted() override;
  void on_healed() override;
  void on_work_stopped() override;
  void save() override {}
  [[nodiscard]] std::string state_text() const override;
  [[nodiscard]] const Session* waiting_session() const override;

 private:
  enum class Aim { idle, waiting, holding, stopping, releasing, done };

  void rest();
  void ask();
  void on_granted(FencingToken token);
  void on_lost();
  void on_released();
  void begin_stopping();
  void finish_work();
  void begin_release();
  void renew();
  [[nodiscard]] StopLadder ladder() const;
  [[nodiscard]] Nanoseconds guard_limit() const;
  [[nodiscard]] Nanoseconds true_moment(Nanoseconds since_start) const;
  bool copy_a_waiting_session();

  Aim aim_ = Aim::idle;
  Nanoseconds until_{};       // when the present aim comes to its end by itself
  Nanoseconds renew_boot_{};  // on the boot clock
  bool served_ = false;       // since everything healed
};

}  // namespace dexlock::sim
