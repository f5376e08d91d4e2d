// What one owner of a lock keeps between its one-shot calls, as one line of text.
//
// A lost, torn, foreign or older-than-this-boot text means "I hold nothing": at worst one lease is
// waited out, never a guess made. The boot id and time namespace it belongs to stand in front of it
// in the file.
//
// Threads: plain values and pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lock/ids.hpp"
#include "lock/instant.hpp"
#include "register/proposer.hpp"

namespace dexlock {

// Its place in line, which it takes when it has tried twice.
struct PlaceInLine {
  std::uint32_t number = 0;   // of its ticket
  std::uint32_t refresh = 0;  // the highest of that ticket that may have been sent; 0: none
  Instant refused;            // when it last found the lock held
};

struct Saved {
  ClientId client;
  std::string group;             // of servers that it was held in; the rest means nothing elsewhere
  FencingToken token;            // held with this token; 0: nothing
  Ballot granted_at;             // newest ballot at which the owner knew itself chosen
  std::optional<Record> record;  // the value chosen there
  Instant start;                 // of the lease
  Nanoseconds lease{};           // T as the record shows it
  std::uint32_t beat = 0;        // highest heartbeat number that may have been sent
  bool maybe_listed = false;     // the record may list this client, with whatever token
  std::optional<Sticky> sticky;  // for the plain release of `token` and nothing else
  std::optional<PlaceInLine> place;
};

[[nodiscard]] std::string saved_text(const Saved& saved);
[[nodiscard]] std::optional<Saved> parse_saved(std::string_view text);

}  // namespace dexlock
