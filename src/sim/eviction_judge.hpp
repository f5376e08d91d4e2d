// Judges evictions as a predicate over the whole history: once an eviction is chosen, no heartbeat
// that was started after its observation began is ever acknowledged by a majority, neither before
// nor after ("evictions").
//
// Threads: none.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "lock/record.hpp"
#include "register/ballot.hpp"
#include "sim/finding.hpp"

namespace dexlock::sim {

class EvictionJudge {
 public:
  EvictionJudge(std::size_t servers, Findings& findings) : servers_(servers), findings_(findings) {}

  void on_beat_sent(FencingToken token, std::uint32_t beat, Nanoseconds now);
  void on_beat_acknowledged(std::size_t server, FencingToken token, std::uint32_t beat,
                            Nanoseconds now);

  // An eviction leaves under `ballot`, on evidence complete since `observed`.
  void on_evict_sent(const Ballot& ballot, FencingToken victim, Nanoseconds observed);

  // The value at `ballot` is built on `base`, on the only server. If that does not list the victim
  // any more, nobody is evicted; and there its heartbeats may be forgotten with it.
  void on_base(const Ballot& ballot, const Record& base);

  // `ballot` was chosen, with a value that does not list the victim of its eviction, if it is one.
  void on_chosen(const Ballot& ballot, const Record& value, Nanoseconds now);

  [[nodiscard]] std::uint64_t evictions() const { return evictions_; }

 private:
  struct Beat {
    Nanoseconds started{};
    std::uint32_t servers = 0;  // one bit each
  };
  struct Eviction {
    FencingToken victim;
    Nanoseconds observed{};
  };

  void check(FencingToken token, const Beat& beat, Nanoseconds observed, Nanoseconds now);

  std::size_t servers_;
  Findings& findings_;
  std::map<FencingToken, std::map<std::uint32_t, Beat>> beats_;
  std::map<Ballot, Eviction> sent_;
  std::map<FencingToken, Nanoseconds> chosen_;  // earliest observation of a chosen eviction
  std::uint64_t evictions_ = 0;
};

}  // namespace dexlock::sim
