// The acceptor: one pure function over what a server remembers of one lock. It runs in the native
// server, in the embedded store, and, where nothing is installed, in the client between reading a
// file and replacing it by compare-and-set. There is no other implementation of these rules.
//
// Invariants:  accepted <= promised and fence <= promised; promised never goes down, not even over
// a crash;
//              one ballot carries one value for ever.
// Threads:     none.      Never does: I/O, clock reads.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "register/message.hpp"

namespace dexlock {

// Survives a crash: synced before the answer that depends on it leaves.
struct Durable {
  Ballot promised;
  Ballot fence;  // highest promise to an eviction
  Ballot accepted;
  bool open = true;
  bool copied = false;
  std::optional<Record> value;
  friend bool operator==(const Durable&, const Durable&) = default;
};

// Lost in a crash, together with the boot id that names it.
struct Soft {
  std::map<FencingToken, std::uint32_t> beats;
  std::vector<Ticket> tickets;
  std::optional<Ballot> promised;  // above the synced promise: see promise_ceiling.hpp
};

[[nodiscard]] Durable absent_record(Epoch epoch);

// Heartbeats of tokens that the accepted value no longer lists are kept for the newest few of them:
// the removal may have been accepted here only, and a later value may list the token again.
// Forgetting what was acknowledged under an unchanged boot id would let an eviction overlook it.
inline constexpr std::size_t kPastBeatsMax = 16;

// What became of a request. The caller makes `durable` durable, then keeps `soft`, then answers.
struct Step {
  Verdict verdict = Verdict::state;
  bool durable_changed = false;
  bool soft_changed = false;
};

// Before a promise on sight, of an only acceptor that writes nothing down for it: no round is too
// far. Else those that are promised and not used would use the numbers up, as would those of a
// record that was made anew.
void allow_any_round(Durable& durable, const Prepare& prepare);

// Applies `request` to `durable` and `soft` in place. `boot` names `soft`.
[[nodiscard]] Step apply(Durable& durable, Soft& soft, const BootId& boot, const Request& request);

[[nodiscard]] State state_of(const Durable& durable, const Soft& soft, const BootId& boot);

}  // namespace dexlock
