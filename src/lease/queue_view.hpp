// What one client knows of the queue for a lock: the tickets that each server showed last, and
// since when each has not been renewed. Whoever has not renewed for the life of its ticket, by the
// latest look at a majority, counts as gone; no server has to time anything. Not to have looked is
// no sign.
//
// Invariants:  a list is replaced as a whole, by one received later.
// Threads:     none; the owner serialises calls.      Never does: read a clock.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "lock/instant.hpp"
#include "lock/ticket.hpp"

namespace dexlock {

// A ticket with this refresh number was received then, and never seen renewed since.
struct TicketSighting {
  ClientId client;
  std::uint32_t refresh = 0;
  Instant since;
};

class QueueView {
 public:
  explicit QueueView(std::size_t servers) : lists_(servers), looked_(servers) {}

  // Server `server` showed `tickets`, received at `now`.
  void saw(std::size_t server, const std::vector<Ticket>& tickets, Instant now);

  // For other processes of this host, which begin with what this one has seen.
  [[nodiscard]] std::vector<TicketSighting> sightings() const;
  void recall(const TicketSighting& sighting);

  // A record shows a grant to `client` by its ticket with this refresh number: that ticket is used
  // up, whatever servers that have not heard of it still show.
  void granted(const ClientId& client, std::uint32_t refresh);
  // That grant was never chosen.
  void not_granted(const ClientId& client, std::uint32_t refresh);

  // Those who wait, senior first.
  [[nodiscard]] std::vector<Ticket> waiting() const;

  // Tickets that were left behind, or are used up.
  [[nodiscard]] std::vector<Ticket> left_behind() const;

  // A new ticket's number must be greater [Lamport 1974].
  [[nodiscard]] std::uint32_t highest_number() const { return highest_number_; }

 private:
  struct Seen {
    Ticket ticket;
    Instant since;  // received then, and never seen renewed since
  };

  [[nodiscard]] bool is_left_behind(const Seen& seen) const;

  std::vector<std::vector<Ticket>> lists_;  // by server
  std::map<ClientId, Seen> seen_;
  std::map<ClientId, TicketSighting> recalled_;
  std::map<ClientId, std::uint32_t> granted_;  // the refresh numbers, of the latest clients
  std::vector<Instant> looked_;                // by server: when its latest list was received
  Instant complete_;                           // a majority has been looked at since then
  std::uint32_t highest_number_ = 0;
};

}  // namespace dexlock
