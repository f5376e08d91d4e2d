// What the clients of a register do: proposing, hearing, giving up, heartbeats, observing,
// learning.
#include <algorithm>
#include <set>
#include <utility>

#include "lock/invariant.hpp"
#include "lock/quorum.hpp"
#include "lock/record_text.hpp"
#include "sim/exhaust_register.hpp"
#include "sim/message_text.hpp"

namespace dexlock::sim {
namespace {

// What one server shows of the victim, in one number; 0: nothing seen yet.
struct Sight {
  bool known = false;
  bool late = false;    // seen first after the observation was complete
  bool absent = false;  // only shown: the victim holds no longer
  std::uint32_t boots = 0;
  std::uint32_t beat = 0;
};

std::uint32_t number_of(const Sight& sight) {
  return (sight.known ? 1U : 0U) | (sight.late ? 2U : 0U) | (sight.absent ? 4U : 0U) |
         (sight.boots << 3U) | (sight.beat << 8U);
}

Sight sight_of(std::uint32_t number) {
  return {(number & 1U) != 0, (number & 2U) != 0, (number & 4U) != 0, (number >> 3U) & 31U,
          number >> 8U};
}

// Boot ids are told from those of other servers by the server in front.
BootId boot_at(std::size_t server, std::uint32_t boots) {
  return BootId{"s" + std::to_string(server) + boot_of(boots).text};
}

constexpr Nanoseconds kNeeded = std::chrono::seconds(10);

Instant at(Nanoseconds time) { return Instant{time, time}; }

}  // namespace

void RegisterSpace::client_moves(const World& world) {
  for (std::uint32_t client = 0; client < world.clients.size(); ++client) {
    const std::uint32_t node = world.clients[client];
    if (clients_.may_start(node)) {
      start(world, client);
    } else if (clients_.node(node).request) {
      std::vector<bool> taken(world.columns.size());
      feed(world, client, node, taken, "");
    }
  }
}

void RegisterSpace::start(const World& world, std::uint32_t client) {
  const std::uint32_t node = world.clients[client];
  std::uint32_t beat = 0;
  if (clients_.next_task(node) == Task::evict) {
    const auto evidence = basis(world);
    if (!evidence) {
      return;
    }
    beat = evidence->beat;
  }
  std::set<std::uint32_t> rounds{0};
  for (const Column& column : world.columns) {
    for (const Entry& entry : column.entries) {
      if (entry.kind == Kind::notice && entry.client == client) {
        rounds.insert(entry.what);
      }
    }
  }
  for (const std::uint32_t round : rounds) {
    settle(world, client, clients_.start(node, round, beat),
           round == 0 ? "" : " having heard of round " + std::to_string(round));
  }
}

// Every set of replies that makes the client decide, and every set after which it gives up.
void RegisterSpace::feed(const World& world, std::uint32_t client, std::uint32_t node,
                         std::vector<bool>& taken, const std::string& heard) {
  World given_up = world;
  settle(std::move(given_up), client, clients_.abandon(node), " gives up" + heard);
  if (clients_.node(node).proposer.waits_for_fast_quorum()) {
    settle(world, client, clients_.settle_fast(node), " has waited long enough" + heard);
  }
  for (std::size_t server = 0; server < world.columns.size(); ++server) {
    if (taken[server]) {
      continue;
    }
    for (const Entry& entry : world.columns[server].entries) {
      if (entry.kind != Kind::reply || entry.client != client) {
        continue;
      }
      const ClientStep& step = clients_.feed(node, entry.what);
      const std::string more =
          texts_ ? heard + (heard.empty() ? " hears " : " and ") + std::to_string(server + 1) : "";
      if (step.left) {
        settle(world, client, step, more);
        continue;
      }
      taken[server] = true;
      feed(world, client, step.client, taken, more);
      taken[server] = false;
    }
  }
}

void RegisterSpace::settle(World world, std::uint32_t client, const ClientStep& step,
                           const std::string& how) {
  for (Column& column : world.columns) {
    for (Entry& entry : column.entries) {
      if (entry.client == client && entry.kind == Kind::request) {
        entry.kind = Kind::stray;
      } else if (entry.client == client && entry.kind == Kind::reply) {
        const std::uint32_t round = servers_.reply_of(entry.what).state.promised.round;
        entry = {Kind::notice, client, round};
      }
    }
  }
  const ClientPlan& plan = setup_.clients[client];
  world.clients[client] = step.client;
  if (step.request) {
    broadcast(world, client, *step.request);
  }
  std::string finding = step.finding;
  if (finding.empty() && step.told == Told::granted) {
    finding = judged(world).granted(ClientId{plan.client}, step.token);
  } else if (finding.empty() && step.told == Told::released) {
    finding = judged(world).released(ClientId{plan.client});
  }
  emit(std::move(world), std::move(finding), [&] {
    std::string text = plan.name + how;
    text += step.told == Told::granted    ? ": holds token " + std::to_string(step.token.value)
            : step.told == Told::released ? ": has released"
            : step.request                ? ""
                                          : ": no result";
    return text + (step.request ? ", sends " + request_text(servers_.request_of(*step.request))
                                : std::string());
  });
}

// A server is told of an eviction with those boot ids of the basis that are its own: another
// server's can never be equal to its present one.
void RegisterSpace::broadcast(World& world, std::uint32_t client, std::uint32_t request) {
  const Request& asked = servers_.request_of(request);
  const auto* prepare = std::get_if<Prepare>(&asked);
  const bool evicts = prepare != nullptr && prepare->intent == Intent::evict;
  const auto evidence = evicts ? basis(world) : std::nullopt;
  for (std::size_t server = 0; server < world.columns.size(); ++server) {
    std::uint32_t told = request;
    if (evicts) {
      Prepare own = *prepare;
      for (std::uint32_t boots = 0; evidence && boots <= setup_.restarts; ++boots) {
        if (std::ranges::find(evidence->boots, boot_at(server, boots)) != evidence->boots.end()) {
          own.boots.push_back(boot_of(boots));
        }
      }
      told = servers_.request(own);
    }
    world.columns[server].entries.push_back({Kind::request, client, told});
  }
}

void RegisterSpace::beat_moves(const World& world) {
  for (std::uint32_t client = 0; client < world.clients.size(); ++client) {
    const ClientPlan& plan = setup_.clients[client];
    const ClientNode& node = clients_.node(world.clients[client]);
    if (world.beats >= plan.heartbeats || node.token.value == 0) {
      continue;
    }
    World next = world;
    ++next.beats;
    const std::uint32_t request =
        servers_.request(Heartbeat{node.token, next.beats, node.granted_at});
    for (Column& column : next.columns) {
      column.entries.push_back({Kind::stray, 15, request});
    }
    emit(std::move(next), "", [&] {
      return plan.name + " begins heartbeat " + std::to_string(world.beats + 1) +
             (world.complete ? " (after the observation)" : "");
    });
  }
}

// What the server shows of the victim now.
std::uint32_t RegisterSpace::shown_by(std::uint32_t server) const {
  const ServerNode& node = servers_.node(server);
  const Record record = node.durable.value.value_or(Record{});
  const bool granted = make_token(Epoch{1}, record.count) >= setup_.victim->token;
  const auto beat = node.soft.beats.find(setup_.victim->token);
  return number_of({.known = true,
                    .absent = granted && record.find(*setup_.victim) == nullptr,
                    .boots = node.boots,
                    .beat = beat == node.soft.beats.end() ? 0 : beat->second});
}

// The production observer, told what one server showed.
std::uint32_t RegisterSpace::sight_after(std::uint32_t sight, std::uint32_t shown, bool late) {
  const std::uint64_t key = (pair_key(sight, shown) << 1U) | (late ? 1U : 0U);
  if (const auto known = sights_.find(key); known != sights_.end()) {
    return known->second;
  }
  Observer observer(*setup_.victim, setup_.servers);
  if (const Sight before = sight_of(sight); before.known) {
    observer.recall(0, Sighting{before.beat, boot_at(0, before.boots),
                                at(before.late ? kNeeded : Nanoseconds(0))});
  }
  const Sight now = sight_of(shown);
  if (now.absent) {
    observer.forget(0);
  } else {
    observer.saw(0, now.beat, boot_at(0, now.boots), false, at(late ? kNeeded : Nanoseconds(0)));
  }
  std::uint32_t after = 0;
  if (const auto& seen = observer.sightings()[0]) {
    const bool fresh = seen->boot == boot_at(0, now.boots);
    after = number_of({.known = true,
                       .late = seen->since != Instant{},
                       .boots = fresh ? now.boots : sight_of(sight).boots,
                       .beat = seen->beat});
  }
  return sights_.emplace(key, after).first->second;
}

std::optional<EvictionBasis> RegisterSpace::basis(const World& world) const {
  if (!world.complete) {
    return std::nullopt;
  }
  Observer observer(*setup_.victim, setup_.servers);
  for (std::size_t server = 0; server < world.columns.size(); ++server) {
    if (const Sight sight = sight_of(world.columns[server].sight); sight.known) {
      observer.recall(server, Sighting{sight.beat, boot_at(server, sight.boots),
                                       at(sight.late ? kNeeded : Nanoseconds(0))});
    }
  }
  return observer.ready({.claimed = kNeeded, .unclaimed = kNeeded}, at(kNeeded));
}

void RegisterSpace::observe_moves(const World& world) {
  if (!setup_.victim) {
    return;
  }
  const bool watched = std::ranges::any_of(world.clients, [&](std::uint32_t client) {
    return clients_.may_start(client) && clients_.next_task(client) == Task::evict;
  });
  if (!watched) {
    return;
  }
  for (std::size_t server = 0; server < world.columns.size(); ++server) {
    const Column& column = world.columns[server];
    const std::uint32_t shown = shown_by(column.server);
    const auto see = [&](std::uint32_t what, const char* how) {
      const std::uint32_t sight = sight_after(column.sight, what, world.complete != 0);
      if (sight == column.sight && column.shown == 0) {
        return;
      }
      World next = world;
      next.columns[server].sight = sight;
      next.columns[server].shown = 0;
      emit(std::move(next), "", [&] {
        return "the observer sees server " + std::to_string(server + 1) + how + ": beat " +
               std::to_string(sight_of(what).beat) + " boot " + boot_of(sight_of(what).boots).text +
               (sight_of(what).absent ? ", gone" : "");
      });
    };
    if (!setup_.slow_sight) {
      see(shown, "");
    } else if (column.shown != 0) {
      see(column.shown, " as it was");
    } else if (sight_after(column.sight, shown, world.complete != 0) != column.sight) {
      World next = world;
      next.columns[server].shown = shown;
      emit(std::move(next), "",
           [&] { return "server " + std::to_string(server + 1) + " answers the observer"; });
    }
  }
  if (!world.complete) {
    World next = world;
    next.complete = 1;
    next.late_from = world.beats;
    if (basis(next)) {
      emit(std::move(next), "", [] { return std::string("-- the observation is complete"); });
    }
  }
}

// The heir of a hand-over holds once a majority has shown it the same ballot and value: each of
// them may have done so at any time since it voted for it.
void RegisterSpace::learn_moves(const World& world) {
  if (!setup_.heir) {
    return;
  }
  const auto client = static_cast<std::uint32_t>(world.clients.size() - 1);
  if (clients_.node(world.clients[client]).token.value != 0) {
    return;
  }
  const std::size_t needed = mistake_ == Mistake::ticket_trusted ? 1 : majority(setup_.servers);
  struct Shown {
    Record record;
    std::size_t servers = 0;
    std::size_t promises = 0;  // of those, now, for the ballot that the giver left to the heir
  };
  const ClientPlan& plan = setup_.clients[client];
  const auto left_to_heir = [&](const Ballot& ballot) {
    return Ballot{ballot.epoch, ballot.round + 1, plan.proposer, 0};
  };
  std::map<Ballot, Shown> shown;
  for (const Column& column : world.columns) {
    const auto& server = servers_.node(column.server);
    for (const auto& [ballot, record] : server.votes) {
      if (record.find(*setup_.heir) != nullptr) {
        Shown& how = shown[ballot];
        how.record = record;
        ++how.servers;
        how.promises +=
            server.durable.accepted == ballot && server.durable.promised == left_to_heir(ballot)
                ? 1U
                : 0U;
      }
    }
  }
  const FencingToken token = setup_.heir->token;
  for (const auto& [ballot, how] : shown) {
    if (how.servers < needed) {
      continue;
    }
    std::optional<Sticky> sticky;
    if (how.promises >= majority(setup_.servers)) {
      sticky = Sticky{left_to_heir(ballot), how.record};
    }
    World next = world;
    next.clients[client] = clients_.holding(world.clients[client], token, ballot, sticky);
    std::string finding = judged(next).granted(ClientId{plan.client}, token);
    emit(std::move(next), std::move(finding), [&] {
      return plan.name + " learns that it holds token " + std::to_string(token.value) + " since " +
             ballot_text(ballot) + (sticky ? ", with a promise for its next ballot" : "");
    });
  }
}

}  // namespace dexlock::sim
