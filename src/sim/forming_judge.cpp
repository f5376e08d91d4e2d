#include "sim/forming_judge.hpp"

#include <algorithm>

namespace dexlock::sim {
namespace {

std::string name_of(std::size_t server) { return "s" + std::to_string(server); }

}  // namespace

void FormingJudge::on_store(std::size_t server, const std::string& incarnation) {
  const std::uint64_t life = ++lives_;
  stores_[life] = Store{server, incarnation, std::nullopt, std::nullopt};
  standing_[server] = life;
  incarnations_.try_emplace(incarnation, life);
}

void FormingJudge::on_proposal(std::size_t server, const Group& group, Nanoseconds now) {
  Store& store = store_of(server);
  if (std::ranges::find(group.members, store.incarnation) == group.members.end()) {
    findings_.add(
        now, "groups",
        name_of(server) + " carries the proposal " + group.id + ", which does not name it");
  }
  if (store.proposed && *store.proposed != group) {
    findings_.add(now, "groups",
                  name_of(server) + " was promised to " + store.proposed->id +
                      " and now carries the proposal " + group.id);
  }
  store.proposed = group;
}

void FormingJudge::on_active(std::size_t server, const Group& group, Nanoseconds now) {
  check_stood_on_all(server, group, now);
  Store& store = store_of(server);
  store.active = group.id;
  const auto [at, fresh] = active_.try_emplace(group.id, Active{group, {}, {}});
  at->second.marked.insert(standing_[server]);
  if (fresh) {
    for (const std::string& member : group.members) {
      if (const auto life = incarnations_.find(member); life != incarnations_.end()) {
        at->second.servers.insert(stores_[life->second].server);
      }
    }
  }
  check_beside(at->second, now);
}

void FormingJudge::check_stood_on_all(std::size_t server, const Group& group, Nanoseconds now) {
  for (const std::string& member : group.members) {
    const auto life = incarnations_.find(member);
    if (life == incarnations_.end() || stores_[life->second].proposed != group) {
      findings_.add(now, "groups",
                    "group " + group.id + " became active on " + name_of(server) +
                        ", and its proposal never stood on " + member);
    }
  }
}

void FormingJudge::check_beside(const Active& mine, Nanoseconds now) {
  for (const auto& [id, other] : active_) {
    if (id == mine.group.id) {
      continue;
    }
    std::vector<std::string> shared;
    std::ranges::set_intersection(mine.group.members, other.group.members,
                                  std::back_inserter(shared));
    if (!shared.empty()) {
      findings_.add(now, "groups",
                    "the groups " + mine.group.id + " and " + id + " are both active and share " +
                        shared.front());
    }
    const auto still_there = [this](std::uint64_t life) {
      return standing_[stores_[life].server] == life;
    };
    const auto alive = [&](const Active& group) {
      return std::ranges::any_of(group.marked, still_there);
    };
    if (mine.servers == other.servers && alive(mine) && alive(other)) {
      findings_.add(now, "groups",
                    "the same servers have the groups " + mine.group.id + " and " + id);
    }
  }
}

void FormingJudge::on_vote(std::size_t server, const std::string& group, Nanoseconds now) {
  const Store& store = store_of(server);
  if (store.active != group || !store.proposed || store.proposed->id != group) {
    findings_.add(now, "votes",
                  name_of(server) + " voted in " + group + ", and its present store is " +
                      (store.active     ? "an active member of " + *store.active
                       : store.proposed ? "only proposed for " + store.proposed->id
                                        : "blank"));
  }
}

void FormingJudge::on_used(const std::string& client, const std::optional<std::string>& remembered,
                           const std::string& group, Nanoseconds now) {
  if (remembered && *remembered != group) {
    findings_.add(now, "memory",
                  client + " uses group " + group + ", and its host remembers " + *remembered);
  }
}

void FormingJudge::on_formed_anew(const std::string& client,
                                  const std::optional<std::string>& remembered, Nanoseconds now) {
  if (remembered) {
    findings_.add(now, "memory",
                  client + " proposes a group, and its host remembers " + *remembered);
  }
}

}  // namespace dexlock::sim
