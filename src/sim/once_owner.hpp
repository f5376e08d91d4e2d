// A script that calls `get-lock` every few seconds and `release-lock` at the end. Each call is a
// process of its own with a fresh identity, which reads the owner's state file, does one thing and
// ends; it can be killed between any two of its outputs, and the file can be lost or torn. What was
// observed of other holders is kept between the calls of one boot.
//
// The script works from a call's success on, until a call fails or the belief reported ends.
//
// Threads: none.
#pragma once

#include <map>
#include <type_traits>
#include <utility>

#include "sim/actor.hpp"

namespace dexlock::sim {

class OnceOwner : public Actor {
 public:
  OnceOwner(std::size_t index, Surroundings& around);

 protected:
  void on_event(const Event& event) override;
  void on_own_timer() override;
  [[nodiscard]] std::optional<Nanoseconds> own_timer() const override;
  void on_killed() override;
  void on_rebooted() override;
  void on_healed() override;
  void on_work_stopped() override {}
  void save() override;
  [[nodiscard]] std::string state_text() const override;
  [[nodiscard]] Nanoseconds step() const override { return step_; }

 private:
  enum class Call { none, renew, acquire, release };

  void call();
  void read_file();
  void open_session();
  void on_granted(FencingToken token);
  void succeed();
  void fail_call();
  void give_up_sometimes();
  void on_released();
  void leave(Nanoseconds pause);
  void time_is_up();
  void remember_sightings();

  Call call_ = Call::none;
  Nanoseconds step_{};
  Nanoseconds until_{};       // next call, or the end of the present one
  Nanoseconds hold_until_{};  // then the script releases
  bool release_due_ = false;
  bool served_ = false;
  std::optional<std::string> file_;
  std::string file_before_;  // planted: what the last whole file said
  using Watched = std::decay_t<decltype(std::declval<Session>().observers())>::key_type;
  std::map<std::pair<Watched, std::size_t>, Sighting> sightings_;
  std::vector<TicketSighting> tickets_;
};

}  // namespace dexlock::sim
