// A ticket says that somebody waits. It is soft state: it grants nothing, and losing all tickets
// loses the order of the queue, never safety. Its number comes from Lamport's bakery over a
// majority of the servers [Lamport 1974], so the order needs no server that talks to another.
//
// Threads: plain values and pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lock/ids.hpp"
#include "lock/record.hpp"

namespace dexlock {

struct Ticket {
  std::uint32_t number = 0;  // bakery number; order is (number, client)
  Claim claim;
  Terms terms;
  std::uint32_t refresh = 0;        // k: grows with each refresh, never sent twice
  std::chrono::milliseconds ttl{};  // not refreshed for that long: dropped
  ProposerId proposer;              // whoever hands the lock over gets it this one's promises
  std::string who;
};

inline constexpr std::size_t kTicketsPerReplyMax = 64;

// True if `a` is senior to `b`.
[[nodiscard]] bool senior(const Ticket& a, const Ticket& b);

// Of several copies of tickets the newest of each client, senior first.
[[nodiscard]] std::vector<Ticket> merge_tickets(std::vector<Ticket> copies);

// The tickets that a lock now held as in `record` is to be handed to: the senior compatible ones,
// without passing over anybody (so that readers behind a waiting writer do not overtake it).
[[nodiscard]] std::vector<Ticket> heirs(const Record& record, const std::vector<Ticket>& merged);

// number:client:mode:weight:capacity:refresh:ttl:lease:stop:claim:drift:high.low:who
[[nodiscard]] std::string ticket_text(const Ticket& ticket);
void append_ticket(std::string& out, const Ticket& ticket);
[[nodiscard]] std::optional<Ticket> parse_ticket(std::string_view text);

}  // namespace dexlock
