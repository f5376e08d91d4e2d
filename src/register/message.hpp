// What a client asks one lock server about one lock, and what the server answers.
//
// Threads: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lock/ids.hpp"
#include "lock/record.hpp"
#include "lock/ticket.hpp"
#include "register/ballot.hpp"

namespace dexlock {

enum class Intent {
  plain,    // any change that needs nothing of the volatile state
  acquire,  // refused while incompatible holders are recorded: a held lock is never disturbed
  evict,    // refused unless the victim shows no sign of life beyond the basis; sets the fence
  force,    // an operator's eviction: as evict, without the proof
};

// Phase 1 [CASPaxos 2.2, step 1].
struct Prepare {
  Ballot ballot;
  Intent intent = Intent::plain;
  Claim claim;                // who asks, for Intent::acquire
  FencingToken victim;        // for Intent::evict and force
  std::uint32_t beat = 0;     // for Intent::evict: the highest heartbeat observed
  std::vector<BootId> boots;  // for Intent::evict: the volatile tables observed
};

// Phase 2, with the sticky promise for the proposer's next ballot on top.
struct Accept {
  Ballot ballot;
  Record value;
  std::optional<Ballot> next;  // promise this in the same write
  bool open = false;           // the value is FREE and open to a fast ballot
};

// Grants a lock that is FREE and open in one round trip: a vote at the fast child of the ballot at
// which this server accepted that [Lamport, Fast Paxos; protocol: the fast ballot]. Each server
// computes the value, so whoever asks need not know what it builds on.
struct Fast {
  Ticket asker;  // who, and for what; its number: how many grants there were by the one it had last
  OpId op;
};

// A sign of life of one holder: volatile, never synced, outside consensus.
struct Heartbeat {
  FencingToken token;
  std::uint32_t beat = 0;
  Ballot granted;  // the newest ballot at which the sender knows itself chosen as a holder
};

struct Read {
  bool durable = false;  // the answer is to count as a vote: it must not be undone by a crash
};

// Sets, refreshes or removes a ticket.
struct Post {
  Ticket ticket;
  bool remove = false;
};

using Request = std::variant<Prepare, Accept, Heartbeat, Read, Post, Fast>;

inline constexpr std::size_t kBootsMax = 32;

enum class Verdict {
  promise,     // to a prepare
  accepted,    // to an accept, or to a fast
  beating,     // to a heartbeat: recorded
  state,       // to a read or a post
  low,         // refused: the ballot is not above what is promised
  far,         // refused: the round is too far above what is promised
  held,        // refused: incompatible holders are recorded
  alive,       // refused: the victim has shown life, or this server cannot vouch that it has not
  fenced,      // refused heartbeat: an eviction is being decided
  behind,      // refused heartbeat: this server has not yet accepted the grant; send it first
  gone,        // refused heartbeat: a newer record does not list the token
  two_values,  // alarm: another value was accepted at this very ballot (two proposers with one id)
};

// Everything one server knows of one lock. Every answer carries it.
struct State {
  Ballot promised;
  Ballot fence;
  Ballot accepted;
  bool open = true;
  bool copied = false;          // loaded from an earlier epoch: not a vote
  std::optional<Record> value;  // nothing: the key is absent, i.e. free
  std::map<FencingToken, std::uint32_t> beats;
  BootId boot;
  std::vector<Ticket> tickets;
};

struct Answer {
  Verdict verdict = Verdict::state;
  State state;
};

// The server as a whole could not do it. Nothing is known about the record from this.
enum class FaultKind {
  unreachable,  // no connection, or no answer in time: the outcome is unknown
  not_member,   // it serves another group, epoch or incarnation
  corrupt,      // its files contradict themselves
  full,         // cannot write
  busy,         // its store is being written by somebody else for too long
  refused,      // it does not understand the request
  denied,       // it does not permit the request
};

struct Fault {
  FaultKind kind = FaultKind::unreachable;
  std::string text;  // one line: server, what, remedy
};

using Reply = std::variant<Answer, Fault>;

// The record of a state; an absent key reads as a free record never granted.
[[nodiscard]] inline Record record_of(const State& state) { return state.value.value_or(Record{}); }

}  // namespace dexlock
