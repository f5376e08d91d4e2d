// A long-running client, as `dex-lock run` is one: waits for the lock, starts its work, renews
// every fifth of the lease, stops its work by the stop ladder when renewals fail, releases.
//
// Threads: none.
#pragma once

#include "sim/lease_client.hpp"

namespace dexlock::sim {

class Runner : public LeaseClient {
 public:
  Runner(std::size_t index, Surroundings& around);

 protected:
  void on_granted(FencingToken token) override;
  void on_lost(const std::string& why) override;
  void on_released() override;
  void begin_release() override;
  [[nodiscard]] Nanoseconds work_limit() const override;
  void on_own_timer() override;
  [[nodiscard]] std::optional<Nanoseconds> own_timer() const override;
  void on_killed() override;
  void on_rebooted() override;
  void on_healed() override;
  void on_work_stopped() override;
  [[nodiscard]] std::string state_text() const override;
  [[nodiscard]] const Session* waiting_session() const override;

 private:
  enum class Aim { idle, waiting, holding, stopping, releasing, done };

  void rest();
  void begin_asking();
  void begin_stopping();
  void finish_work();
  bool copy_a_waiting_session();

  Aim aim_ = Aim::idle;
  Nanoseconds until_{};  // when the present aim comes to its end by itself
  bool served_ = false;  // since everything healed
};

}  // namespace dexlock::sim
