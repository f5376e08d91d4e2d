// A lock is one record: who holds it with which fencing token, and the last token given.
//
// Invariants:  the token count never goes down along the chain of records of one lock;
//              each holder's token is unique and at most the last one given;
//              a text that a newer version wrote is kept byte for byte and never modified.
// Threads:     plain values.        Never does: I/O, clock reads, drawing of ids.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lock/ids.hpp"

namespace dexlock {

enum class Mode { exclusive, shared, semaphore };

// What a holder was promised; in the record, so that peers need no common configuration.
struct Terms {
  std::chrono::milliseconds lease{};  // T: without a fresh majority for that long the lock is lost
  std::chrono::milliseconds stop{};   // T2: then the loser has this long to stop its work
  std::chrono::milliseconds claim{};  // Tc: the lease of a hand-over that nobody has claimed yet
  std::uint32_t drift_ppm{};          // rho of the holder's clock, parts per million
  friend bool operator==(const Terms&, const Terms&) = default;
};

struct Holder {
  FencingToken token;
  ClientId client;
  OpId op;  // the operation that was granted
  Mode mode = Mode::exclusive;
  std::uint32_t weight = 1;  // permits taken, for a semaphore
  Terms terms;
  std::optional<std::uint32_t> ticket;    // hand-over: the refresh number k its lease counts from
  std::string who;                        // for people: user, host, pid, command
  std::vector<std::string> later_fields;  // of a newer version, kept as they are
  friend bool operator==(const Holder&, const Holder&) = default;
};

// One grant. The token alone does not name it: a value that was never chosen may show the same
// token for another client.
struct GrantId {
  FencingToken token;
  OpId op;
  friend auto operator<=>(const GrantId&, const GrantId&) = default;
};

enum class GateState { open, hold, moved };  // not open: nothing is granted

struct Gate {
  GateState state = GateState::open;
  std::string note;
  friend bool operator==(const Gate&, const Gate&) = default;
};

enum class EndKind { released, expired, broken };

// The latest holder that is no holder any more.
struct Departed {
  FencingToken token;
  ClientId client;
  EndKind how = EndKind::released;
  bool fenced = false;  // a fence hook has dealt with it
  std::string who;
  friend bool operator==(const Departed&, const Departed&) = default;
};

struct Record {
  std::uint32_t version = 1;
  std::uint64_t count = 0;      // grants so far in this epoch, below 2^40
  OpId op;                      // the operation that wrote this record
  std::uint32_t capacity = 1;   // permits of a semaphore
  std::vector<Holder> holders;  // all of one mode; empty = FREE
  std::optional<Departed> last;
  Gate gate;
  std::string note;                       // free text of an operator
  std::string data;                       // value stored with the lock
  FencingToken data_token;                // of the holder that stored it; 0: nobody did
  std::vector<std::string> later_fields;  // of a newer version, kept as they are
  friend bool operator==(const Record&, const Record&) = default;

  [[nodiscard]] bool is_free() const { return holders.empty(); }
  [[nodiscard]] const Holder* find(FencingToken token) const;
  [[nodiscard]] const Holder* find(const ClientId& client) const;
  [[nodiscard]] const Holder* find(const GrantId& grant) const;
};

inline constexpr std::uint32_t kRecordVersion = 1;
inline constexpr std::uint32_t kDriftPpmMax = 500'000;  // no clock is that bad; keeps sums small
inline constexpr std::size_t kHoldersMax = 64;
inline constexpr std::size_t kWhoBytesMax = 160;       // escaped
inline constexpr std::size_t kNoteBytesMax = 200;      // escaped
inline constexpr std::size_t kDataBytesMax = 2048;     // escaped
inline constexpr std::size_t kRecordBytesMax = 12288;  // leaves room for the rest of a 16 KiB line

// What a client asks for.
struct Claim {
  ClientId client;
  Mode mode = Mode::exclusive;
  std::uint32_t weight = 1;
  std::uint32_t capacity = 1;
};

// True if `claim` can be granted beside the holders of `record` that belong to other clients.
[[nodiscard]] bool compatible(const Record& record, const Claim& claim);

}  // namespace dexlock
