#include "server/watches.hpp"

#include <algorithm>
#include <limits>

#include "lock/ticket.hpp"

namespace dexlock {
namespace {

// So many of those in line hear of every change: if the first is dead the next are ready.
constexpr std::size_t kNextInLine = 3;

std::vector<ClientId> next_in_line(std::vector<Ticket> tickets) {
  std::ranges::sort(tickets, senior);
  std::vector<ClientId> next;
  for (const Ticket& ticket : tickets) {
    if (next.size() == kNextInLine) {
      break;
    }
    next.push_back(ticket.claim.client);
  }
  return next;
}

}  // namespace

bool Watches::add(const Id& id, const Watch& watch) {
  remove(id);
  const auto mine = of_connection_.find(id.first);
  if (watches_.size() >= most_ || (mine != of_connection_.end() && mine->second >= most_of_one_)) {
    return false;
  }
  ++of_connection_[id.first];
  watches_.emplace(id, Watcher{.key = watch.key, .client = watch.client, .told = {}});
  by_key_[watch.key].insert(id);
  return true;
}

void Watches::remove(const Id& id) {
  const auto at = watches_.find(id);
  if (at == watches_.end()) {
    return;
  }
  const auto of_key = by_key_.find(at->second.key);
  of_key->second.erase(id);
  if (of_key->second.empty()) {
    by_key_.erase(of_key);
  }
  watches_.erase(at);
  if (const auto mine = of_connection_.find(id.first); --mine->second == 0) {
    of_connection_.erase(mine);
  }
}

void Watches::remove_all(std::uint64_t connection) {
  for (auto at = watches_.lower_bound({connection, 0});
       at != watches_.end() && at->first.first == connection;) {
    const Id id = at->first;
    ++at;
    remove(id);
  }
}

std::vector<Watches::Id> Watches::concerned(const std::string& key, const State& state) {
  std::vector<Id> told;
  const auto of_key = by_key_.find(key);
  if (of_key == by_key_.end()) {
    return told;
  }
  const bool is_free = !state.value || state.value->holders.empty();
  const std::vector<ClientId> next = next_in_line(state.tickets);
  std::set<ClientId> waiting;
  for (const Ticket& ticket : state.tickets) {
    waiting.insert(ticket.claim.client);
  }
  // Beyond that nobody can tell who waits from who looks on.
  const bool all_shown = waiting.size() < kTicketsPerReplyMax;
  for (const Id& id : of_key->second) {
    Watcher& watcher = watches_.at(id);
    const bool listed = state.value && state.value->find(watcher.client) != nullptr;
    const bool was_listed = std::exchange(watcher.listed, listed);
    if (watcher.told == state.accepted) {
      continue;
    }
    const bool looks_on = all_shown && !waiting.contains(watcher.client);
    if (is_free || listed || was_listed || looks_on ||
        std::ranges::find(next, watcher.client) != next.end()) {
      watcher.told = state.accepted;
      told.push_back(id);
    }
  }
  return told;
}

}  // namespace dexlock
