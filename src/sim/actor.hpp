// One client host in the simulated world: its clocks, at most one process at a time with a
// production Session, and the work done under the lock. What it does with the session is up to its
// kind (a long-running command, or one-shot calls); this part obeys the session's rules: save
// before sending, wake when told, read the clock before every input.
//
// The work has a guard of its own that stops it by the clock, whatever has become of the process.
//
// Invariants:  a process that was killed sends and hears nothing any more.
// Threads:     none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "session/session.hpp"
#include "sim/fake_clock.hpp"
#include "sim/network.hpp"
#include "sim/proposal_watch.hpp"
#include "sim/surroundings.hpp"

namespace dexlock::sim {

class Actor {
 public:
  Actor(std::size_t index, Surroundings& around);
  virtual ~Actor() = default;
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  // Inputs from the world.
  void on_timer();
  void on_packet(const Packet& packet);
  void pause(bool work_goes_on);
  void go_on();
  void suspend();
  void wake_up();
  void kill();
  void reboot();
  void slew();
  void heal();

  // Where work goes on, or might by the belief of the process.
  [[nodiscard]] std::optional<Hold> hold() const;

  // Has had the lock since everything healed, and has given it up.
  [[nodiscard]] bool satisfied() const { return satisfied_; }
  [[nodiscard]] bool paused() const { return paused_; }
  [[nodiscard]] bool runs(std::uint32_t process) const { return process_ == process && session_; }
  [[nodiscard]] std::string describe() const;

 protected:
  // Called with a live, unpaused process or none at all.
  virtual void on_event(const Event& event) = 0;
  virtual void on_own_timer() = 0;
  // The next true moment at which on_own_timer() has something to do.
  [[nodiscard]] virtual std::optional<Nanoseconds> own_timer() const = 0;
  virtual void on_killed() = 0;
  virtual void on_rebooted() = 0;
  virtual void on_healed() = 0;
  virtual void on_work_stopped() = 0;
  virtual void save() = 0;
  // Its sessions wait with a ticket, where there are queues at all.
  [[nodiscard]] virtual Nanoseconds step() const { return {}; }  // as SessionSetup
  // Planted: a session that waits for the lock, to be copied.
  [[nodiscard]] virtual const Session* waiting_session() const { return nullptr; }
  [[nodiscard]] virtual std::string state_text() const = 0;

  void start_process(ClientId client);
  void end_process();
  [[nodiscard]] ClientId fresh_client();
  // False if the process ended meanwhile.
  bool carry_out(SessionOutput output);
  [[nodiscard]] Instant clock_now() const;

  void begin_work(FencingToken token);
  void end_work();
  void check_hold();
  // The guard counts from the newest start of the lease.
  void track_lease();
  void note(const std::string& text);

  struct Work {
    bool on = false;
    bool frozen = false;
    FencingToken token;
    Instant start;        // of the newest lease
    Nanoseconds lease{};  // its length
    Nanoseconds limit{};  // after that the guard stops it
  };

  std::size_t index_;
  Surroundings& around_;
  std::string name_;
  Terms terms_;
  Claim claim_;
  FakeClock clock_;
  std::unique_ptr<Session> session_;
  std::uint32_t process_ = 0;
  Work work_;
  bool satisfied_ = false;
  FencingToken floor_;            // the highest token anybody had been told when this one asked
  std::uint32_t plain_beat_ = 0;  // planted: heartbeat number by an old file

 private:
  struct Arrived {
    std::uint32_t process = 0;
    std::size_t server = 0;
    AttemptId attempt = 0;
    Instant sent;
    Reply reply;
  };

  void arm();
  void hear(const Arrived& arrived);
  void hear_as(std::size_t server, AttemptId attempt, const Reply& reply, Instant now);
  void note_known();
  void react(SessionOutput output);
  void guard();
  void process_timers();
  bool save_unless_killed();
  bool killed_now();
  bool send(const Send& send);
  void post(Packet packet);
  void spoil(Request& request) const;
  [[nodiscard]] Reply as_unclaimed(Reply reply) const;
  void take_ticket_for_grant(const Reply& reply);
  void use_heirs_ballot(const Packet& packet);
  void judge_sent(const Request& request);
  void follow_events(const SessionOutput& output);
  void restart_lease_now();
  [[nodiscard]] Nanoseconds evidence_since(const Prepare& prepare) const;

  bool paused_ = false;
  bool suspended_ = false;
  Instant paused_at_;
  std::vector<Arrived> inbox_;
  std::optional<Nanoseconds> armed_;
  AttemptId last_proposal_ = 0;
  Ballot known_grant_;
  ProposalWatch proposals_;
  SessionSetup setup_;
  std::optional<ProposerId> kept_id_;
};

}  // namespace dexlock::sim
