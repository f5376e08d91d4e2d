#include "lock/ticket.hpp"

#include <algorithm>
#include <tuple>

#include "lock/escape.hpp"
#include "lock/fields.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kModeLetters = "xsp";
constexpr std::size_t kTicketFields = 13;

std::optional<std::uint32_t> small(std::string_view text) {
  const auto number = parse_number(text, kSmallNumberMax);
  if (!number) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(*number);
}

std::optional<std::chrono::milliseconds> milliseconds(std::string_view text) {
  const auto number = small(text);
  if (!number) {
    return std::nullopt;
  }
  return std::chrono::milliseconds(*number);
}

std::optional<ProposerId> proposer(std::string_view text) {
  const auto parts = split_fields(text, '.', 2);
  const auto high = small(parts ? parts->front() : "");
  const auto low = small(parts ? parts->back() : "");
  if (!high || !low || parts->size() != 2) {
    return std::nullopt;
  }
  return ProposerId{*high, *low};
}

}  // namespace

bool senior(const Ticket& a, const Ticket& b) {
  return std::tie(a.number, a.claim.client) < std::tie(b.number, b.claim.client);
}

std::vector<Ticket> merge_tickets(std::vector<Ticket> copies) {
  std::ranges::sort(copies, [](const Ticket& a, const Ticket& b) {
    return std::tie(a.claim.client, b.refresh) < std::tie(b.claim.client, a.refresh);
  });
  const auto repeated =
      std::ranges::unique(copies, {}, [](const Ticket& t) { return t.claim.client; });
  copies.erase(repeated.begin(), repeated.end());
  std::ranges::sort(copies, senior);
  return copies;
}

std::vector<Ticket> heirs(const Record& record, const std::vector<Ticket>& merged) {
  std::vector<Ticket> chosen;
  Record after = record;
  for (const Ticket& ticket : merged) {
    if (after.find(ticket.claim.client) != nullptr) {
      continue;
    }
    if (!compatible(after, ticket.claim) || after.holders.size() == kHoldersMax) {
      break;
    }
    after.capacity = ticket.claim.capacity;
    after.holders.push_back(Holder{
        .client = ticket.claim.client, .mode = ticket.claim.mode, .weight = ticket.claim.weight});
    chosen.push_back(ticket);
  }
  return chosen;
}

std::string ticket_text(const Ticket& ticket) {
  std::string out;
  append_ticket(out, ticket);
  return out;
}

void append_ticket(std::string& out, const Ticket& ticket) {
  const Terms& terms = ticket.terms;
  append(out, ticket.number, ':', ticket.claim.client.text, ':',
         kModeLetters[static_cast<std::size_t>(ticket.claim.mode)], ':', ticket.claim.weight, ':',
         ticket.claim.capacity, ':', ticket.refresh, ':', ticket.ttl.count(), ':',
         terms.lease.count(), ':', terms.stop.count(), ':', terms.claim.count(), ':',
         terms.drift_ppm, ':', ticket.proposer.high, '.', ticket.proposer.low, ':',
         escape_text(ticket.who));
}

std::optional<Ticket> parse_ticket(std::string_view text) {
  const auto parts = split_fields(text, ':', kTicketFields);
  if (!parts || parts->size() != kTicketFields) {
    return std::nullopt;
  }
  const auto& p = *parts;
  const auto number = small(p[0]);
  const auto mode = p[2].size() == 1 ? kModeLetters.find(p[2]) : std::string_view::npos;
  const auto weight = small(p[3]);
  const auto capacity = small(p[4]);
  const auto refresh = small(p[5]);
  const auto ttl = milliseconds(p[6]);
  const auto lease = milliseconds(p[7]);
  const auto stop = milliseconds(p[8]);
  const auto claim = milliseconds(p[9]);
  const auto drift = parse_number(p[10], kDriftPpmMax);
  const auto from = proposer(p[11]);
  const auto who = p[12].size() > kWhoBytesMax ? std::nullopt : unescape_text(p[12]);
  const ClientId client{std::string(p[1])};
  if (!number || mode == std::string_view::npos || !weight || !capacity || !refresh || !ttl ||
      !lease || !stop || !claim || !drift || !from || !who || !is_id_text(client.text)) {
    return std::nullopt;
  }
  return Ticket{.number = *number,
                .claim = {client, static_cast<Mode>(mode), *weight, *capacity},
                .terms = {*lease, *stop, *claim, static_cast<std::uint32_t>(*drift)},
                .refresh = *refresh,
                .ttl = *ttl,
                .proposer = *from,
                .who = *who};
}

}  // namespace dexlock
