// All timing arithmetic of leases, in one place.
//
// The worst case, real time to the right (rho_h: the holder's clock may run slow by that share;
// rho_o: the observer's may run fast by that share):
//
//   holder    sends renewal s ------------------- T on its clock ------------> belief ends
//             |                                   = at most T/(1-rho_h) real       |-- T2 --> work
//             stopped
//   server    |   acks s, answers a read                                                      |
//   observer  |        receives that answer: o --- observation_time() on its clock ---------->
//   evicts
//             |                                    = at least T/(1-rho_h)+T2/(1-rho_h) real after o
//   s was sent before o, so the work is stopped before the eviction is sent, whatever the delays:
//   a message delayed, a holder paused (it re-reads its clock before it acts) or a slow disk only
//   make the observer later or the holder earlier.
//
// Threads: pure functions.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "lock/instant.hpp"
#include "lock/record.hpp"

namespace dexlock {

// How much this machine's clocks may differ from real time, in parts per million. Crystals stay
// below 200; CLOCK_MONOTONIC_RAW beside CLOCK_BOOTTIME removes slewing from the sum.
inline constexpr std::uint32_t kDriftPpm = 1000;

inline constexpr std::int64_t kMillion = 1'000'000;

// ceil(span / (1 - ppm)): how long `span` on a slow clock may last in real time.
[[nodiscard]] constexpr Nanoseconds stretched(Nanoseconds span, std::uint32_t slow_ppm) {
  const std::int64_t divisor = kMillion - slow_ppm;
  const std::int64_t whole = span.count() / divisor;
  const std::int64_t rest = span.count() % divisor;
  return Nanoseconds(whole * kMillion + (rest * kMillion + divisor - 1) / divisor);
}

// ceil(span * (1 + ppm)): what a fast clock shows at least after `span` of real time has surely
// passed.
[[nodiscard]] constexpr Nanoseconds as_fast_clock_shows(Nanoseconds span, std::uint32_t fast_ppm) {
  const std::int64_t whole = span.count() / kMillion;
  const std::int64_t rest = span.count() % kMillion;
  return Nanoseconds(whole * (kMillion + fast_ppm) +
                     (rest * (kMillion + fast_ppm) + kMillion - 1) / kMillion);
}

// How long an observer with drift `mine_ppm` must have seen a holder unchanged before it may evict
// it. `claimed`: the holder counts from a message of its own; else from a ticket nobody has claimed
// yet.
[[nodiscard]] constexpr Nanoseconds observation_time(const Terms& terms, bool claimed,
                                                     std::uint32_t mine_ppm) {
  const Nanoseconds lease = claimed ? terms.lease : terms.claim;
  return as_fast_clock_shows(
      stretched(lease, terms.drift_ppm) + stretched(terms.stop, terms.drift_ppm), mine_ppm);
}

// Renewals go out this often: four of them may be lost within one lease.
[[nodiscard]] constexpr Nanoseconds renewal_period(const Terms& terms) {
  return Nanoseconds(terms.lease) / 5;
}

// Tc: the lease that a lock has which was handed over to somebody who has not renewed it yet. A
// dead heir costs that long; a slow one must have time to hear of it.
[[nodiscard]] constexpr std::chrono::milliseconds claim_lease(std::chrono::milliseconds lease) {
  constexpr std::chrono::milliseconds kShortest{1'000};
  constexpr std::chrono::milliseconds kLongest{3'000};
  return std::clamp(lease, kShortest, kLongest);
}

// That of a client that calls every `step` and does nothing in between.
[[nodiscard]] constexpr std::chrono::milliseconds claim_lease(std::chrono::milliseconds lease,
                                                              std::chrono::milliseconds step) {
  constexpr std::chrono::milliseconds kCall{2'000};  // what a call may take
  return std::max(claim_lease(lease), std::min(lease, 2 * step + kCall));
}

// How often a waiter asks where the server cannot push.
[[nodiscard]] constexpr Nanoseconds poll_period(const Terms& terms) {
  constexpr Nanoseconds kLongest = std::chrono::milliseconds(500);
  return std::min(Nanoseconds(terms.lease) / 20, kLongest);
}

// The stop ladder of `run`, counted from the start of the lease (before the renewal was sent).
struct StopLadder {
  Nanoseconds degraded_at{};  // a renewal is overdue by a whole period
  Nanoseconds signal_at{};    // the polite signal
  Nanoseconds kill_at{};      // SIGKILL, at the latest
  Nanoseconds gone_by{};      // what waiters were promised: T + T2
};

// With no stop time the whole ladder lies inside the last tenth of the lease; else the polite
// signal comes then too and SIGKILL a twentieth of the whole before its end.
[[nodiscard]] constexpr StopLadder stop_ladder(const Terms& terms) {
  const Nanoseconds lease = terms.lease;
  const Nanoseconds whole = lease + terms.stop;
  const Nanoseconds margin = terms.stop.count() == 0 ? lease / 25 : std::min(lease, whole / 20);
  return StopLadder{2 * renewal_period(terms), lease - lease / 10, whole - margin, whole};
}

}  // namespace dexlock
