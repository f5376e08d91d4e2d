// The proposer: runs one change of one lock record on a majority of acceptors, in two round trips
// or, with a sticky promise, in one [CASPaxos 2.2; the sticky promise is the one-round-trip
// optimisation of 2.2.1]. A grant of a free lock is first tried on a fast ballot, in one round trip
// from a fast quorum [Lamport, Fast Paxos 2.2]; what becomes of that otherwise, the classic rounds
// find out.
//
// Invariants:  one ballot never carries two values: a ballot is burnt by the first accept that
// left;
//              one reply per server and phase counts, and none of an older attempt;
//              after a fast ballot without success nothing is taken for granted: the classic
//              ballot counts the votes;
//              a sticky promise is kept only if a majority's answers to that very accept carried
//              it, is used for one value at most, and never for an eviction;
//              one that goes to the heir of a hand-over is never kept by who handed over.
// Threads:     none; the owner serialises calls.
// Never does:  I/O, clock reads, waiting: who gives up on an attempt calls abandon().
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "lock/change.hpp"
#include "lock/instant.hpp"
#include "register/message.hpp"

namespace dexlock {

// Pairs replies with requests: replies of another attempt are strays.
using AttemptId = std::uint32_t;

struct Send {
  std::size_t server = 0;
  AttemptId attempt = 0;
  Request request;
};

// A promise for `ballot` that came with the acceptance of `base`: phase 1 is done already.
struct Sticky {
  Ballot ballot;
  Record base;
  friend bool operator==(const Sticky&, const Sticky&) = default;
};

// From the record read to the one to write, with the queue that a majority's promises show, merged
// and senior first; nobody is in it where a sticky promise has saved asking.
using ChangeFunction = std::function<Change(const Record& base, const std::vector<Ticket>& queue)>;

struct Operation {
  Intent intent = Intent::plain;
  Claim claim;
  FencingToken victim;
  std::uint32_t beat = 0;
  std::vector<BootId> boots;
  ChangeFunction change;
  bool want_sticky = true;   // ask for a promise for the next ballot along with the acceptance
  bool open = false;         // a FREE value is to be open to fast ballots
  OpId op;                   // of several fast votes that might be built on, its own is
  std::optional<Fast> fast;  // tried first, unless a sticky promise does as well
};

struct Chosen {
  Ballot ballot;
  Record value;
  Instant sent;  // read before the first accept of this value left
  std::optional<Sticky> sticky;
};
struct DeclinedBy {  // the change function did not want to change `base`
  Declined declined{};
  Record base;
};
struct Refused {          // no majority of promises; nothing was proposed
  bool answered = false;  // a majority of servers did answer
  bool held = false;      // some server would not disturb the holders it has recorded
};
struct Unknown {};  // a value left and may or may not be chosen, now or later
struct Alarm {      // two values at one ballot: a proposer identity is in use twice
  Ballot ballot;
};

using Outcome = std::variant<Chosen, DeclinedBy, Refused, Unknown, Alarm>;

struct ProposerOutput {
  std::vector<Send> sends;
  std::optional<Outcome> done;
};

class Proposer {
 public:
  Proposer(std::size_t servers, Epoch epoch, ProposerId me);

  // Learns of ballots in use; call it for every state received.
  void saw(const State& state);

  // Requires: idle. `sticky`: used up by this call, whatever comes of it.
  [[nodiscard]] ProposerOutput start(Operation operation, std::optional<Sticky> sticky,
                                     Instant now);

  // Strays and repeats are legal input.
  [[nodiscard]] ProposerOutput on_reply(std::size_t server, AttemptId attempt, const Reply& reply,
                                        Instant now);

  // A majority has answered the fast ballot, and it may still succeed: whoever has waited for the
  // others long enough calls settle_fast(), which goes on with a classic ballot.
  [[nodiscard]] bool waits_for_fast_quorum() const;
  [[nodiscard]] ProposerOutput settle_fast();

  // Gives up on the attempt under way: Unknown if a value has left, else Refused.
  [[nodiscard]] ProposerOutput abandon();

  [[nodiscard]] bool idle() const { return phase_ == Phase::idle; }
  [[nodiscard]] AttemptId last_attempt() const { return attempt_; }

  // The highest round seen anywhere; a later process begins above it.
  [[nodiscard]] std::uint32_t round_seen() const { return round_seen_; }
  void start_above(std::uint32_t round);

 private:
  enum class Phase { idle, fast, preparing, accepting };

  ProposerOutput prepare();
  ProposerOutput propose(const Record& base, const std::vector<Ticket>& queue, Instant now);
  ProposerOutput on_fast_phase();
  ProposerOutput on_promise_phase(std::size_t server, const Reply& reply, Instant now);
  ProposerOutput on_accept_phase(std::size_t server, const Reply& reply);
  ProposerOutput finish(Outcome outcome);
  void send_all(ProposerOutput& output, const Request& request);
  [[nodiscard]] Refused refused() const;
  [[nodiscard]] bool prepare_is_hopeless() const;
  [[nodiscard]] std::size_t answers() const;
  [[nodiscard]] Ballot newest_accepted() const;

  std::size_t servers_;
  Epoch epoch_;
  ProposerId me_;
  std::uint32_t round_seen_ = 0;
  std::uint32_t round_used_ = 0;
  AttemptId attempt_ = 0;

  Phase phase_ = Phase::idle;
  Operation operation_;
  Ballot ballot_;
  std::optional<Ballot> next_;
  Record proposed_;
  Instant sent_;
  std::vector<std::optional<Reply>> replies_;  // of this phase, one per server
};

}  // namespace dexlock
