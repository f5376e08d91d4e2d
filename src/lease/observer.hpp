// Watches one holder from outside: per server, which heartbeat it showed last, under which boot id,
// and since when *received* states have shown just that. When a majority of servers has shown no
// change for the observation time, the holder may be evicted, with exactly that evidence [protocol:
// observation].
//
// Invariants:  `since` is an instant of receipt of evidence, never of sending a question.
//              evidence is complete: a sighting carries heartbeat, boot id and instant together.
// Threads:     none; the owner serialises calls.      Never does: read a clock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "lock/ids.hpp"
#include "lock/instant.hpp"
#include "lock/record.hpp"

namespace dexlock {

// What one server showed of one holder.
struct Sighting {
  std::uint32_t beat = 0;  // 0: granted, no heartbeat yet
  BootId boot;
  Instant since;  // received then, and never seen otherwise since
  // The server was seen under this boot id before it listed the victim: no heartbeat of the victim
  // can have been acknowledged and lost.
  bool whole = false;
  friend bool operator==(const Sighting&, const Sighting&) = default;
};

// How long a server must have shown no change. A victim whose lease counts from a ticket has only
// that short lease until its first heartbeat is acknowledged; but "no heartbeat" tells that only of
// a server that can have lost none.
struct ObservationTimes {
  Nanoseconds claimed{};
  Nanoseconds unclaimed{};

  [[nodiscard]] Nanoseconds needed(const Sighting& seen) const {
    return seen.whole && seen.beat == 0 ? unclaimed : claimed;
  }
};

// What an eviction must prove again on every server of its prepare quorum.
struct EvictionBasis {
  GrantId victim;
  std::uint32_t beat = 0;
  std::vector<BootId> boots;
};

class Observer {
 public:
  Observer(GrantId victim, std::size_t servers) : victim_(std::move(victim)), seen_(servers) {}

  // Server `server` showed `beat` for the victim under `boot`, received at `now`. `whole`: it is
  // known to have been under that boot id when it did not list the victim yet.
  void saw(std::size_t server, std::uint32_t beat, const BootId& boot, bool whole, Instant now);

  // The basis for an eviction, once a majority has shown no change for as long as is needed.
  [[nodiscard]] std::optional<EvictionBasis> ready(ObservationTimes times, Instant now) const;

  // How much longer it takes if nothing changes; nothing while no majority has been seen.
  [[nodiscard]] std::optional<Nanoseconds> wait_left(ObservationTimes times, Instant now) const;

  // The server shows that the victim holds no longer: it is no witness against it.
  void forget(std::size_t server) { seen_[server].reset(); }
  [[nodiscard]] bool empty() const {
    return std::ranges::none_of(seen_, [](const auto& seen) { return seen.has_value(); });
  }

  [[nodiscard]] const GrantId& victim() const { return victim_; }
  [[nodiscard]] const std::vector<std::optional<Sighting>>& sightings() const { return seen_; }

  // Takes over what this or another process of this host saw in this boot, where nothing is known
  // yet.
  void recall(std::size_t server, const Sighting& sighting);

 private:
  GrantId victim_;
  std::vector<std::optional<Sighting>> seen_;
};

}  // namespace dexlock
