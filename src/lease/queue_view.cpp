#include "lease/queue_view.hpp"

#include <algorithm>

#include "lock/invariant.hpp"
#include "lock/quorum.hpp"

namespace dexlock {
namespace {

Instant nth_latest(std::vector<Instant> instants, std::size_t n) {
  std::ranges::sort(instants, std::ranges::greater{}, &Instant::boot);
  return instants[n - 1];
}

}  // namespace

void QueueView::saw(std::size_t server, const std::vector<Ticket>& tickets, Instant now) {
  INVARIANT(server < lists_.size());
  looked_[server] = now;
  complete_ = nth_latest(looked_, majority(looked_.size()));
  if (tickets.empty() && lists_[server].empty()) {
    return;
  }
  lists_[server] = tickets;
  for (const Ticket& ticket : tickets) {
    highest_number_ = std::max(highest_number_, ticket.number);
    const auto recalled = recalled_.find(ticket.claim.client);
    const bool is_news = recalled == recalled_.end() || ticket.refresh > recalled->second.refresh;
    const Seen seen{ticket, is_news ? now : recalled->second.since};
    const auto [at, fresh] = seen_.try_emplace(ticket.claim.client, seen);
    if (!fresh && ticket.refresh > at->second.ticket.refresh) {
      at->second = seen;
    }
  }
  std::erase_if(seen_, [&](const auto& seen) {
    return std::ranges::none_of(lists_, [&](const std::vector<Ticket>& list) {
      return std::ranges::any_of(
          list, [&](const Ticket& ticket) { return ticket.claim.client == seen.first; });
    });
  });
}

std::vector<TicketSighting> QueueView::sightings() const {
  std::vector<TicketSighting> sightings;
  for (const auto& [client, seen] : seen_) {
    sightings.push_back({client, seen.ticket.refresh, seen.since});
  }
  const bool all_looked_at =
      std::ranges::none_of(looked_, [](const Instant& looked) { return looked == Instant{}; });
  for (const auto& [client, sighting] : recalled_) {
    if (!all_looked_at && !seen_.contains(client) && sightings.size() < kTicketsPerReplyMax) {
      sightings.push_back(sighting);  // on a server that has not answered, perhaps
    }
  }
  return sightings;
}

void QueueView::recall(const TicketSighting& sighting) {
  recalled_.insert_or_assign(sighting.client, sighting);
}

void QueueView::granted(const ClientId& client, std::uint32_t refresh) {
  constexpr std::size_t kClientsMax = 256;  // forgetting one costs a turn, never safety
  if (granted_.size() >= kClientsMax && !granted_.contains(client)) {
    std::erase_if(granted_, [&](const auto& one) { return !seen_.contains(one.first); });
    if (granted_.size() >= kClientsMax) {
      granted_.clear();
    }
  }
  std::uint32_t& known = granted_[client];
  known = std::max(known, refresh);
}

void QueueView::not_granted(const ClientId& client, std::uint32_t refresh) {
  if (const auto at = granted_.find(client); at != granted_.end() && at->second == refresh) {
    granted_.erase(at);
  }
}

bool QueueView::is_left_behind(const Seen& seen) const {
  const auto granted = granted_.find(seen.ticket.claim.client);
  if (granted != granted_.end() && seen.ticket.refresh <= granted->second) {
    return true;
  }
  return elapsed_for_observer(seen.since, complete_) >= seen.ticket.ttl;
}

std::vector<Ticket> QueueView::waiting() const {
  std::vector<Ticket> tickets;
  for (const auto& [client, seen] : seen_) {
    if (!is_left_behind(seen)) {
      tickets.push_back(seen.ticket);
    }
  }
  std::ranges::sort(tickets, senior);
  return tickets;
}

std::vector<Ticket> QueueView::left_behind() const {
  std::vector<Ticket> tickets;
  for (const auto& [client, seen] : seen_) {
    if (is_left_behind(seen)) {
      tickets.push_back(seen.ticket);
    }
  }
  return tickets;
}

}  // namespace dexlock
