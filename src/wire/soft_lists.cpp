#include "wire/soft_lists.hpp"

#include <algorithm>

#include "lock/fields.hpp"
#include "wire/line_fields.hpp"

namespace dexlock {

std::string beats_text(const Beats& beats) {
  std::string out;
  for (const auto& [token, beat] : beats) {
    append(out, out.empty() ? "" : ",", token.value, ':', beat);
  }
  return out.empty() ? "-" : out;
}

std::optional<Beats> parse_beats(std::string_view text) {
  Beats beats;
  if (text == "-") {
    return beats;
  }
  const auto parts = split_fields(text, ',', kBeatsMax);
  if (!parts) {
    return std::nullopt;
  }
  for (const std::string_view part : *parts) {
    const auto colon = part.find(':');
    if (colon == std::string_view::npos) {
      return std::nullopt;
    }
    const auto token = parse_token(part.substr(0, colon));
    const auto beat = parse_small(part.substr(colon + 1));
    if (!token || !beat || (!beats.empty() && beats.rbegin()->first >= *token)) {
      return std::nullopt;
    }
    beats.emplace_hint(beats.end(), *token, *beat);
  }
  return beats;
}

std::string tickets_text(std::vector<Ticket> tickets, std::size_t bytes_max) {
  std::ranges::sort(tickets, senior);
  tickets.resize(std::min(tickets.size(), kTicketsPerReplyMax));
  std::string out;
  for (const Ticket& ticket : tickets) {
    const std::string text = (out.empty() ? "" : ",") + ticket_text(ticket);
    if (out.size() + text.size() > bytes_max) {
      break;  // and none behind it: nobody is shown as next who is not
    }
    out += text;
  }
  return out.empty() ? "-" : out;
}

std::optional<std::vector<Ticket>> parse_tickets(std::string_view text) {
  std::vector<Ticket> tickets;
  if (text == "-") {
    return tickets;
  }
  const auto parts = split_fields(text, ',', kTicketsPerReplyMax);
  if (!parts) {
    return std::nullopt;
  }
  for (const std::string_view part : *parts) {
    auto ticket = parse_ticket(part);
    const auto same_client = [&ticket](const Ticket& other) {
      return other.claim.client == ticket->claim.client;
    };
    if (!ticket || (!tickets.empty() && !senior(tickets.back(), *ticket)) ||
        std::ranges::any_of(tickets, same_client)) {
      return std::nullopt;
    }
    tickets.push_back(std::move(*ticket));
  }
  return tickets;
}

}  // namespace dexlock
