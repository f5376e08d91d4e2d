// Errors that the exhaustive search must find: each at the edge of the core, in its messages,
// around the acceptor or in what drives a client, never a switch inside it.
//
// Threads: plain values.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace dexlock::sim {

enum class Mistake : std::uint8_t {
  none,
  // around the acceptor
  promise_not_kept,
  promise_not_raised,
  promise_in_memory,
  fence_missing,
  fence_in_memory,
  boot_ignored,
  boot_kept,
  beat_ignored,
  gone_acknowledged,
  vote_forgotten,
  fast_votes_not_counted,
  fast_in_spite_of_promise,
  // in what it does not sync
  evict_promise_unsynced,
  far_promise_unsynced,
  lost_promises_forgotten,
  lost_promises_of_absent_forgotten,
  lost_promises_accepted_below,
  clean_stop_unsynced,
  clean_mark_stays,
  // in what drives a client
  ballot_reused,
  sticky_eviction,
  sticky_minority,
  majority_off_by_one,
  ack_counted_twice,
  fast_majority,
  ticket_trusted,
  saved_second_value,
  heirs_ballot_used,
  // forming a group
  active_without_all,
  nonmember_counted,
  proposal_overwritten,
  // plain files
  evidence_counted,
};

struct NamedMistake {
  Mistake mistake{};
  std::string_view name;
  std::string_view what;
  std::string_view in;  // a case that shows it
};

[[nodiscard]] std::span<const NamedMistake> named_mistakes();
[[nodiscard]] const NamedMistake* find_mistake(std::string_view name);  // nullptr: none

}  // namespace dexlock::sim
