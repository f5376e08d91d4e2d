#include "sim/queue_judge.hpp"

#include <algorithm>

#include "lock/quorum.hpp"

namespace dexlock::sim {

void QueueJudge::on_prepared(const Ballot& ballot, Nanoseconds now) {
  prepared_.try_emplace(ballot, now);
}

void QueueJudge::on_proposed(const Ballot& ballot, const Record& value, Nanoseconds now) {
  const auto prepared = prepared_.find(ballot);
  for (const Holder& holder : value.holders) {
    decided_.try_emplace(GrantId{holder.token, holder.op},
                         prepared == prepared_.end() ? now : prepared->second);
  }
}

Nanoseconds QueueJudge::view_of(const Holder& holder, Nanoseconds now) const {
  const auto decided = decided_.find(GrantId{holder.token, holder.op});
  const Nanoseconds at = decided != decided_.end() ? decided->second : now;
  return rules_.strict ? at : at - rules_.lag;
}

void QueueJudge::on_posted(std::size_t server, const Ticket& ticket, bool remove, Nanoseconds now) {
  const ClientId& client = ticket.claim.client;
  const auto [at, fresh] = waiters_.try_emplace(client);
  Waiter& waiter = at->second;
  if (remove) {
    // It waits no longer; but a decision made before may still grant it the lock, by this ticket.
    waiter.gone = true;
    if (fresh || ticket.refresh > waiter.ticket.refresh) {
      waiter.ticket = ticket;
    }
    return;
  }
  if (waiter.gone && ticket.refresh <= waiter.ticket.refresh) {
    ghosts_[client][server] = Ghost{.ticket = ticket};
    return;
  }
  if (const auto ghost = ghosts_[client].find(server); ghost != ghosts_[client].end()) {
    ghost->second.until = std::min(ghost->second.until, now);
  }
  if (fresh || waiter.gone || waiter.ticket.number != ticket.number) {
    waiter = Waiter{.ticket = ticket, .servers = {}, .complete = {}, .gone = false};
  }
  waiter.ticket.refresh = std::max(waiter.ticket.refresh, ticket.refresh);
  waiter.servers.insert(server);
  if (waiter.servers.size() == majority(servers_)) {
    waiter.complete = now;
  }
}

void QueueJudge::on_vote(const Record& value, Nanoseconds now) {
  for (const Holder& holder : value.holders) {
    if (holder.token > newest_) {
      decided_.try_emplace(GrantId{holder.token, holder.op}, now);
    }
  }
}

void QueueJudge::on_chosen(const Record& value, Nanoseconds now) {
  for (const Holder& holder : value.holders) {
    if (holder.token <= newest_) {
      continue;
    }
    newest_ = holder.token;
    inherited_ += holder.ticket ? 1U : 0U;
    const Nanoseconds view = view_of(holder, now);
    const auto winner = waiters_.find(holder.client);
    const bool had_it = holders_.contains(holder.client);  // inherited, and too late to count from
    for (const auto& [client, waiter] : waiters_) {
      const bool complete = waiter.servers.size() >= majority(servers_);
      const bool before =
          (winner == waiters_.end() || senior(waiter.ticket, winner->second.ticket)) &&
          std::ranges::none_of(ghosts_[holder.client], [&](const auto& ghost) {
            return view <= ghost.second.until && !senior(waiter.ticket, ghost.second.ticket);
          });
      if (rules_.asked && !had_it && !waiter.gone && client != holder.client && complete &&
          before && waiter.complete < view) {
        findings_.add(now, "queue",
                      holder.client.text + " was granted token " +
                          std::to_string(holder.token.value) + " before " + client.text +
                          ", which is senior to it");
      }
    }
    if (winner != waiters_.end()) {
      waiters_.erase(winner);
    }
    ghosts_.erase(holder.client);
  }
  std::erase_if(decided_, [&](const auto& one) { return one.first.token <= newest_; });
  holders_.clear();
  for (const Holder& holder : value.holders) {
    holders_.insert(holder.client);
  }
}

}  // namespace dexlock::sim
