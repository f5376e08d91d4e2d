// Ballots: the totally ordered names of rounds [CASPaxos, Rystsov 2018, section 2.1].
//
// Invariants:  a proposer never sends two values under one classic ballot;
//              between a classic ballot and its fast child lies no other ballot.
// Threads:     plain values.      Never does: draw the random part of a proposer id.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lock/ids.hpp"

namespace dexlock {

struct Ballot {
  std::uint32_t epoch = 1;
  std::uint32_t round = 0;
  ProposerId proposer;
  std::uint32_t fast = 0;  // 1: the fast child of the classic ballot that is equal but for this
  friend constexpr auto operator<=>(const Ballot&, const Ballot&) = default;
};

inline constexpr std::uint32_t kRoundMax = (std::uint32_t{1} << 31) - 1;

// A server refuses rounds further above its promise: a broken client cannot use the numbers up.
inline constexpr std::uint32_t kRoundStepMax = std::uint32_t{1} << 16;

// The virtual ballot at which a record that is absent "was accepted" as free.
constexpr Ballot zero_ballot(Epoch epoch) {
  return Ballot{.epoch = static_cast<std::uint32_t>(epoch.value)};
}

// epoch.round.high.low.fast
[[nodiscard]] std::string ballot_text(const Ballot& ballot);
void append_ballot(std::string& out, const Ballot& ballot);
[[nodiscard]] std::optional<Ballot> parse_ballot(std::string_view text);

}  // namespace dexlock
