#include "lease/queue_view.hpp"

#include <algorithm>

#include "lock/invariant.hpp"

namespace dexlock {

void QueueView::saw(std::size_t server, const std::vector<Ticket>& tickets, Instant now) {
  INVARIANT(server < lists_.size());
  if (tickets.empty() && lists_[server].empty()) {
    return;
  }
  lists_[server] = tickets;
  for (const Ticket& ticket : tickets) {
    highest_number_ = std::max(highest_number_, ticket.number);
    const auto [at, fresh] = seen_.try_emplace(ticket.claim.client, Seen{ticket, now});
    if (!fresh && ticket.refresh > at->second.ticket.refresh) {
      at->second = Seen{ticket, now};
    }
  }
  std::erase_if(seen_, [&](const auto& seen) {
    return std::ranges::none_of(lists_, [&](const std::vector<Ticket>& list) {
      return std::ranges::any_of(
          list, [&](const Ticket& ticket) { return ticket.claim.client == seen.first; });
    });
  });
}

bool QueueView::is_left_behind(const Seen& seen, Instant now) {
  return elapsed_for_observer(seen.since, now) >= seen.ticket.ttl;
}

std::vector<Ticket> QueueView::waiting(Instant now) const {
  std::vector<Ticket> tickets;
  for (const auto& [client, seen] : seen_) {
    if (!is_left_behind(seen, now)) {
      tickets.push_back(seen.ticket);
    }
  }
  std::ranges::sort(tickets, senior);
  return tickets;
}

std::vector<Ticket> QueueView::left_behind(Instant now) const {
  std::vector<Ticket> tickets;
  for (const auto& [client, seen] : seen_) {
    if (is_left_behind(seen, now)) {
      tickets.push_back(seen.ticket);
    }
  }
  return tickets;
}

std::vector<Ticket> without(std::vector<Ticket> queue, const std::vector<Ticket>& gone) {
  std::erase_if(queue, [&](const Ticket& ticket) {
    return std::ranges::any_of(gone, [&](const Ticket& left) {
      return left.claim.client == ticket.claim.client && left.refresh >= ticket.refresh;
    });
  });
  return queue;
}

}  // namespace dexlock
