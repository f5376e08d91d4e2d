#include "register/assembly.hpp"

#include <algorithm>
#include <utility>

#include "lock/invariant.hpp"
#include "lock/quorum.hpp"

namespace dexlock {

Assembly::Assembly(std::vector<std::string> names, std::optional<std::string> remembered,
                   Digest digest)
    : names_(std::move(names)),
      remembered_(std::move(remembered)),
      digest_(std::move(digest)),
      seats_(names_.size()) {
  INVARIANT(!names_.empty());
}

void Assembly::report(bool fatal, std::string text) {
  const auto known = std::ranges::find(problems_, text, &AssemblyProblem::text);
  if (known == problems_.end()) {
    problems_.push_back({fatal, std::move(text)});
  }
}

const AssemblyProblem* Assembly::fatal_problem() const {
  const auto at = std::ranges::find(problems_, true, &AssemblyProblem::fatal);
  return at == problems_.end() ? nullptr : &*at;
}

std::vector<GroupStep> Assembly::on_identity(std::size_t server, ServerIdentity identity) {
  Seat& seat = seats_.at(server);
  const bool replaced = seat.identity && seat.identity->incarnation != identity.incarnation;
  if (replaced) {
    seat.active = false;  // it was wiped or changed between two connections
    seat.asked_to_activate = false;
    seat.asked_to_propose = false;
  }
  seat.identity = std::move(identity);
  seat.down.clear();
  check_same_store(server);
  return advance();
}

std::vector<GroupStep> Assembly::on_proposed(std::size_t server, const Group& stands) {
  Seat& seat = seats_.at(server);
  if (seat.identity) {
    seat.identity->proposed = stands;
  }
  return advance();
}

std::vector<GroupStep> Assembly::on_activated(std::size_t server) {
  Seat& seat = seats_.at(server);
  if (seat.identity && !seat.identity->proposed) {
    seat.identity->proposed = group_;  // it greeted before the proposal was made
  }
  if (seat.identity && seat.identity->proposed) {
    seat.identity->active = seat.identity->proposed->id;
  }
  return advance();
}

void Assembly::on_down(std::size_t server, std::string why) {
  seats_.at(server).down = std::move(why);
  seats_.at(server).asked_to_activate = false;
  seats_.at(server).asked_to_propose = false;
}

void Assembly::check_same_store(std::size_t server) {
  for (std::size_t other = 0; other < seats_.size(); ++other) {
    if (other != server && seats_[other].identity &&
        seats_[other].identity->incarnation == seats_[server].identity->incarnation) {
      report(true, names_[std::min(other, server)] + " and " + names_[std::max(other, server)] +
                       " are one and the same store: list each server once in lock_servers");
    }
  }
}

std::vector<GroupStep> Assembly::advance() {
  for (std::size_t server = 0; server < seats_.size(); ++server) {
    const Seat& seat = seats_[server];
    if (seat.identity && seat.identity->active) {
      if (!seat.identity->proposed || seat.identity->proposed->id != *seat.identity->active) {
        report(false,
               names_[server] + ": its store has lost what it knew of its group; it has no vote");
        continue;
      }
      adopt(server, *seat.identity->proposed);
    }
  }
  if (fatal_problem() != nullptr) {
    return {};
  }
  return group_ ? complete_activation() : form();
}

std::vector<GroupStep> Assembly::complete_activation() {
  std::vector<GroupStep> steps;
  for (std::size_t server = 0; server < seats_.size(); ++server) {
    check_membership(server);
    Seat& seat = seats_[server];
    // One active mark proves that the proposal once stood on all members, also on one that greeted
    // as blank before. The store refuses if it does not stand there.
    const bool member =
        seat.identity && std::ranges::binary_search(group_->members, seat.identity->incarnation);
    const bool may_activate = member && seat.identity->proposed.value_or(*group_) == *group_ &&
                              !seat.identity->active && seat.down.empty();
    if (may_activate && !std::exchange(seat.asked_to_activate, true)) {
      steps.push_back({server, GroupStep::Kind::activate, *group_});
    }
  }
  return steps;
}

void Assembly::adopt(std::size_t server, const Group& group) {
  const auto& incarnation = seats_[server].identity->incarnation;
  if (!std::ranges::binary_search(group.members, incarnation)) {
    report(false, names_[server] + ": its store is a copy of another (it is no member of its own " +
                      "group " + group.id + "); it has no vote; empty its directory");
    return;
  }
  if (group.members.size() != seats_.size()) {
    report(true, names_[server] + " belongs to a group of " + std::to_string(group.members.size()) +
                     " servers, but lock_servers lists " + std::to_string(seats_.size()) +
                     ": use the same list on every client");
    return;
  }
  if (group_ && *group_ != group) {
    report(true, names_[server] + " belongs to another group (" + group.id + ") than the other " +
                     "listed servers (" + group_->id + "): correct lock_servers");
    return;
  }
  if (remembered_ && *remembered_ != group.id) {
    report(true, "the listed servers were group " + *remembered_ + " for this host and are group " +
                     group.id +
                     " now: other hosts may still use the former; if this is meant, run " +
                     "init-lock --new-group");
    return;
  }
  group_ = group;
  seats_[server].active = true;
}

void Assembly::check_membership(std::size_t server) {
  const Seat& seat = seats_[server];
  if (!seat.identity || std::ranges::binary_search(group_->members, seat.identity->incarnation)) {
    return;
  }
  if (seat.identity->proposed) {
    report(true, names_[server] + " is proposed for another group (" + seat.identity->proposed->id +
                     ") than the other listed servers form (" + group_->id +
                     "): correct lock_servers");
    return;
  }
  report(false, names_[server] + ": its store is blank although the group " + group_->id +
                    " was formed with another one; it has no vote (was its directory removed, or " +
                    "is remote_path different there?)");
}

bool Assembly::complete() const {
  return std::ranges::all_of(seats_, [](const Seat& seat) { return seat.identity.has_value(); });
}

// Nobody is in a group yet: propose it to all, and once it stands on all, activate it on all.
std::vector<GroupStep> Assembly::form() {
  if (!complete()) {
    return {};
  }
  if (remembered_) {
    report(true,
           "the listed servers were group " + *remembered_ + " for this host, and all of " +
               "their stores are blank now (another remote_path, another ssh user, a lost " +
               "mount?): nothing is formed anew; if this is meant, run init-lock --new-group");
    return {};
  }
  Group group;
  for (const Seat& seat : seats_) {
    group.members.push_back(seat.identity->incarnation);
  }
  std::ranges::sort(group.members);
  std::string text;
  for (const std::string& member : group.members) {
    text += member + '\n';
  }
  group.id = digest_(text);

  std::vector<GroupStep> proposals;
  std::vector<GroupStep> activations;
  bool stands_on_all = true;
  for (std::size_t server = 0; server < seats_.size(); ++server) {
    Seat& seat = seats_[server];
    if (seat.identity->proposed && *seat.identity->proposed != group) {
      report(true, names_[server] + " was promised to another group (" +
                       seat.identity->proposed->id +
                       ") by a client with another list of servers: " +
                       "use one list everywhere, and empty the store's directory on " +
                       names_[server] + " if no lock was ever taken there");
      return {};
    }
    const bool stands = seat.identity->proposed == group;
    stands_on_all = stands_on_all && stands;
    if (!stands && seat.down.empty() && !std::exchange(seat.asked_to_propose, true)) {
      proposals.push_back({server, GroupStep::Kind::propose, group});
    }
    if (stands && seat.down.empty()) {
      activations.push_back({server, GroupStep::Kind::activate, group});
    }
  }
  if (!stands_on_all) {
    return proposals;
  }
  std::erase_if(activations, [this](const GroupStep& step) {
    return std::exchange(seats_[step.server].asked_to_activate, true);
  });
  return activations;
}

std::string Assembly::waiting_for() const {
  if (group_) {
    return "";
  }
  std::string missing;
  for (std::size_t server = 0; server < seats_.size(); ++server) {
    if (!seats_[server].identity) {
      missing +=
          (missing.empty() ? "" : "; ") +
          (seats_[server].down.empty() ? names_[server] + ": no answer yet" : seats_[server].down);
    }
  }
  if (remembered_ && !missing.empty()) {
    return std::to_string(majority(seats_.size())) + " of " + std::to_string(seats_.size()) +
           " lock servers are needed: " + missing;
  }
  return missing.empty() ? "the group of the listed servers is being formed"
                         : "the servers have not formed their group yet, which needs all of them " +
                               std::string("once: ") + missing;
}

}  // namespace dexlock
