#include "sim/eviction_judge.hpp"

#include <algorithm>
#include <bit>
#include <string>

#include "lock/quorum.hpp"
#include "lock/record.hpp"

namespace dexlock::sim {

void EvictionJudge::on_beat_sent(FencingToken token, std::uint32_t beat, Nanoseconds now) {
  beats_[token].try_emplace(beat, Beat{now, 0});
}

void EvictionJudge::on_beat_acknowledged(std::size_t server, FencingToken token, std::uint32_t beat,
                                         Nanoseconds now) {
  auto& of_token = beats_[token];
  const auto at = of_token.find(beat);
  if (at == of_token.end()) {
    return;
  }
  at->second.servers |= 1U << server;
  if (const auto evicted = chosen_.find(token); evicted != chosen_.end()) {
    check(token, at->second, evicted->second, now);
  }
}

void EvictionJudge::on_evict_sent(const Ballot& ballot, FencingToken victim, Nanoseconds observed) {
  sent_.try_emplace(ballot, Eviction{victim, observed});
}

void EvictionJudge::on_base(const Ballot& ballot, const Record& base) {
  const auto at = sent_.find(ballot);
  if (at != sent_.end() && base.find(at->second.victim) == nullptr) {
    sent_.erase(at);
  }
}

void EvictionJudge::on_chosen(const Ballot& ballot, const Record& value, Nanoseconds now) {
  for (const Holder& holder : value.holders) {
    // No chosen grant comes back, so what was evicted was one that had never been chosen, and the
    // token is another client's now.
    if (chosen_.erase(holder.token) > 0) {
      beats_.erase(holder.token);
    }
  }
  const auto at = sent_.find(ballot);
  if (at == sent_.end() || value.find(at->second.victim) != nullptr) {
    return;
  }
  ++evictions_;
  const Eviction& eviction = at->second;
  const auto known = chosen_.try_emplace(eviction.victim, eviction.observed).first;
  known->second = std::min(known->second, eviction.observed);
  for (const auto& [number, beat] : beats_[eviction.victim]) {
    check(eviction.victim, beat, known->second, now);
  }
}

void EvictionJudge::check(FencingToken token, const Beat& beat, Nanoseconds observed,
                          Nanoseconds now) {
  const auto acks = static_cast<std::size_t>(std::popcount(beat.servers));
  if (beat.started > observed && acks >= majority(servers_)) {
    findings_.add(now, "evictions",
                  "token " + std::to_string(token.value) + " was evicted on evidence from " +
                      std::to_string(observed.count()) + " ns on, and a heartbeat started at " +
                      std::to_string(beat.started.count()) + " ns was acknowledged by a majority");
  }
}

}  // namespace dexlock::sim
