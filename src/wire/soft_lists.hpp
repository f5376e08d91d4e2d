// The two lists of what a server keeps of a lock in memory only: heartbeats and tickets.
//
//   BEATS   = TOKEN:BEAT,TOKEN:BEAT...   by token, each once; `-` if there are none
//   TICKETS = TICKET,TICKET...           senior first, each client once; `-` if there are none
//
// Threads: pure functions. Hostile input yields nothing, never a guess.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lock/ids.hpp"
#include "lock/record.hpp"
#include "lock/ticket.hpp"
#include "register/acceptor.hpp"

namespace dexlock {

using Beats = std::map<FencingToken, std::uint32_t>;

// An acceptor keeps those of all present holders and of the newest past ones.
inline constexpr std::size_t kBeatsMax = kHoldersMax + kPastBeatsMax;

[[nodiscard]] std::string beats_text(const Beats& beats);
[[nodiscard]] std::optional<Beats> parse_beats(std::string_view text);

// As many of the senior ones as fit into `bytes_max` and kTicketsPerReplyMax: whoever is left out
// is far from its turn, and a list of waiters may always be incomplete.
[[nodiscard]] std::string tickets_text(std::vector<Ticket> tickets, std::size_t bytes_max);
[[nodiscard]] std::optional<std::vector<Ticket>> parse_tickets(std::string_view text);

}  // namespace dexlock
