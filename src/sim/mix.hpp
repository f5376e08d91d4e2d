// Everything that shapes one run, drawn from its seed: how many servers and clients, what they do,
// which faults there are and how often. Each run leaves some faults out altogether, so that rare
// combinations are not drowned by common ones.
//
// Threads: plain values and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "lock/instant.hpp"
#include "lock/record.hpp"
#include "sim/plant.hpp"

namespace dexlock::sim {

enum class ClockFaults {
  drift,     // every clock within the bound
  suspend,   // also: hosts sleep; the raw clock stands still, the boot clock goes on
  slew,      // also: the boot clock runs up to a tenth too fast or slow
  unbounded  // beyond what mutual exclusion assumes: only tokens and the register must hold
};

enum class ModeKind { exclusive, shared_too, semaphore };

// Chances are in parts per million; an `every` of zero means never.
struct Mix {
  std::size_t servers = 3;
  std::size_t clients = 5;
  Nanoseconds faulty{};  // so long; then everything heals and progress is demanded

  ModeKind modes = ModeKind::exclusive;
  std::uint32_t capacity = 1;
  std::chrono::milliseconds lease{};
  std::chrono::milliseconds stop{};
  std::uint32_t lease_times_max = 1;  // some clients ask for a lease so many times longer
  std::uint32_t once_share = 0;       // clients that make one-shot calls
  std::uint32_t package_share = 0;    // clients that keep a failover package
  bool work_to_the_limit = false;     // a loser's work ends at the last permitted moment
  bool sticky_promises = true;        // without: the order of the queue is strict
  bool fast_ballots = false;
  bool unsynced_promises = false;  // servers leave them so, up to the ceiling
  bool queues = false;             // waiters have tickets, and the lock is handed over
  bool pushes = false;             // servers tell of changes
  Nanoseconds hold_max{};
  Nanoseconds think_max{};
  Nanoseconds patience_max{};
  Nanoseconds poll_max{};
  Nanoseconds attempt_limit{};

  Nanoseconds delay_min{};
  Nanoseconds delay_max{};
  std::uint32_t slow_message = 0;
  Nanoseconds slow_max{};
  std::uint32_t lose_request = 0;
  std::uint32_t lose_reply = 0;
  std::uint32_t repeat = 0;
  std::uint32_t told_unreachable = 0;  // a lost message that is noticed at once
  Nanoseconds cut_every{};
  Nanoseconds cut_max{};

  Nanoseconds machine_crash_every{};
  Nanoseconds process_restart_every{};
  Nanoseconds down_max{};
  std::uint32_t write_error = 0;
  std::uint32_t crash_in_write = 0;
  std::uint32_t tear_record = 0;  // of crashes in a write: the record is damaged
  Nanoseconds full_every{};

  Nanoseconds kill_every{};
  std::uint32_t kill_in_output = 0;
  std::uint32_t orphaned_work = 0;  // a killed client's work goes on until the guard stops it
  Nanoseconds pause_every{};
  Nanoseconds pause_max{};
  std::uint32_t work_through_pause = 0;  // only the client is paused, not its work
  Nanoseconds reboot_every{};
  std::uint32_t lose_file = 0;
  std::uint32_t tear_file = 0;

  ClockFaults clocks = ClockFaults::drift;
  Nanoseconds suspend_every{};
  bool calm = false;  // no faults at all, so that even the order of the queue can be judged

  // The only server is an etcd cluster of so many members; 0: it is none.
  std::size_t members = 0;
  Nanoseconds call_limit{};     // then another member is asked
  Nanoseconds commit_max{};     // of one transaction
  Nanoseconds election_max{};   // without a leader
  Nanoseconds restore_every{};  // from a snapshot
  Nanoseconds remove_every{};   // an operator removes the record
  std::chrono::seconds idle{};  // then a record that nobody uses goes by itself

  std::string only_judge;  // the findings of all others are passed over

  // Where messages go.
  [[nodiscard]] std::size_t places() const { return members == 0 ? servers : members; }
};

struct MixLimits {
  std::size_t servers = 0;  // 0: as drawn
  std::size_t clients = 0;
  bool etcd = false;  // an etcd cluster instead
  bool unbounded_clocks = false;
  bool calm = false;          // no faults at all
  bool only_forming = false;  // every seed forms groups
  std::string only_judge;
  Plant plant = Plant::none;
};

// The same seed and limits, the same mix. A plant makes sure of the faults that it needs.
[[nodiscard]] Mix draw_mix(std::uint64_t seed, const MixLimits& limits);

// Takes all faults out.
void calm_down(Mix& mix);

// How old the view of the queue may be by which somebody decides: a holder renews its own with its
// lease.
[[nodiscard]] Nanoseconds decision_lag(const Mix& mix);

[[nodiscard]] std::string mix_text(const Mix& mix);

}  // namespace dexlock::sim
