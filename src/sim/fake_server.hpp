// One lock server: the production acceptor on a fake disk. What was synced survives a crash; the
// heartbeats do not, and the boot id that names them is drawn anew; nor do unsynced promises, if it
// makes such. A write can fail, and a crash can come in its middle, or between the write and the
// answer.
//
// Threads: none.
#pragma once

#include <cstddef>
#include <optional>

#include "register/promise_ceiling.hpp"
#include "sim/surroundings.hpp"

namespace dexlock::sim {

class FakeServer {
 public:
  FakeServer(std::size_t index, Surroundings& around);

  [[nodiscard]] bool up() const { return up_; }
  // One that does not come back after a crash stays down for ever.
  void set_up(bool up) { up_ = up && !gone_; }
  void set_full(bool full) { full_ = full; }

  // A crash in the middle of a write may damage the record; then this server never votes again: it
  // says so, or is silent. Never so many that no majority is left.
  //
  // Nothing: it crashed before it could answer. Requires: up.
  [[nodiscard]] std::optional<Reply> serve(const Request& request);

  // Power cut: only what is on the disk is left.
  void crash();

 private:
  PromiseCeiling ceiling(const Request& request) const;
  Step apply_here(const Request& request);
  Step apply_planted(const Request& request);
  void remember_unsynced(const Durable& before);
  void judge(const Request& request, const Step& step);
  void judge_fast(const Fast& fast, const Step& step);
  void tear_record();
  Answer answer_for(Verdict verdict) const;

  std::size_t index_;
  Surroundings& around_;
  bool up_ = true;
  bool full_ = false;
  bool damaged_ = false;
  bool gone_ = false;
  Durable durable_;
  Soft soft_;
  BootId boot_;
  std::uint32_t boots_ = 0;
  bool unsynced_ = false;            // a promise since the last crash
  bool lost_ = false;                // unsynced promises, since `durable_` was written
  std::optional<Durable> on_disk_;   // planted: what a crash falls back to
  std::optional<Durable> old_copy_;  // planted: what a backup holds
};

}  // namespace dexlock::sim
