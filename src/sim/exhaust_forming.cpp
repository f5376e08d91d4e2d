#include "sim/exhaust_forming.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "lock/invariant.hpp"
#include "lock/quorum.hpp"

namespace dexlock::sim {
namespace {

std::string store_name(std::size_t server, std::uint32_t wiped) {
  return "s" + std::to_string(server + 1) + std::string(wiped, 'w');
}

std::string digest(std::string_view text) {
  std::string id = "g";
  for (const char c : text) {
    if (c != '\n') {
      id += c;
    }
  }
  return id;
}

std::string group_key(const Group& group) {
  std::string key = group.id + ' ' + std::to_string(group.epoch.value);
  for (const std::string& member : group.members) {
    key += ' ' + member;
  }
  return key;
}

std::string identity_key(const ServerIdentity& identity) {
  return identity.incarnation + '/' + (identity.proposed ? group_key(*identity.proposed) : "-") +
         '/' + identity.active.value_or("-");
}

}  // namespace

FormingSpace::FormingSpace(FormingCase setup, Mistake mistake)
    : setup_(std::move(setup)), mistake_(mistake) {}

Packed FormingSpace::initial() {
  World world;
  world.servers.resize(setup_.servers);
  for (std::size_t i = 0; i < setup_.lists.size(); ++i) {
    std::vector<std::string> names;
    for (const std::size_t server : setup_.lists[i]) {
      names.push_back("server " + std::to_string(server + 1));
    }
    const std::size_t seats = names.size();
    world.clients.push_back(keep(Client{.index = i,
                                        .assembly = Assembly(names, std::nullopt, digest),
                                        .told = std::vector<std::optional<ServerIdentity>>(seats),
                                        .greeted = std::vector<std::uint32_t>(seats),
                                        .asked = std::vector<std::uint32_t>(seats)}));
  }
  return pack(world);
}

FormingSpace::World FormingSpace::unpack(const Packed& state) const {
  World world{.wipes = state[0], .servers = {}, .clients = {}, .entries = {}};
  std::size_t at = 1;
  for (std::size_t i = 0; i < setup_.servers; ++i, at += 3) {
    world.servers.push_back({state[at], state[at + 1], state[at + 2]});
  }
  for (std::size_t i = 0; i < setup_.lists.size(); ++i) {
    world.clients.push_back(state[at++]);
  }
  for (; at < state.size(); ++at) {
    const std::uint32_t word = state[at];
    world.entries.push_back({static_cast<Kind>(word >> 28U), (word >> 24U) & 15U,
                             (word >> 20U) & 15U, (word >> 16U) & 15U, word & 0xFFFFU});
  }
  return world;
}

Packed FormingSpace::pack(const World& world) {
  Packed state{world.wipes};
  for (const Server& server : world.servers) {
    state.insert(state.end(), {server.wiped, server.proposed, server.active});
  }
  state.insert(state.end(), world.clients.begin(), world.clients.end());
  for (const Entry& entry : world.entries) {
    INVARIANT(entry.what < 0x10000U);
    state.push_back((static_cast<std::uint32_t>(entry.kind) << 28U) | (entry.client << 24U) |
                    (entry.seat << 20U) | (entry.wiped << 16U) | entry.what);
  }
  return state;
}

void FormingSpace::emit(World world, const Text& text) {
  std::ranges::sort(world.entries);
  const auto repeated = std::ranges::unique(world.entries);
  world.entries.erase(repeated.begin(), repeated.end());
  std::string finding = check(world);
  moves_->push_back({pack(world), texts_ ? text() : "", std::move(finding)});
}

void FormingSpace::expand(const Packed& state, bool texts, std::vector<Move>& moves) {
  moves_ = &moves;
  texts_ = texts;
  const World world = unpack(state);
  greet_moves(world);
  wipe_moves(world);
  for (std::size_t i = 0; i < world.entries.size(); ++i) {
    deliver(world, i);
  }
}

std::uint32_t FormingSpace::group_number(const Group& group) {
  return groups_.add(group_key(group), group);
}

// Asks a server who it is; a second time over a new connection, so that answers to the former are
// never read.
void FormingSpace::greet_moves(const World& world) {
  for (std::uint32_t client = 0; client < world.clients.size(); ++client) {
    for (std::uint32_t seat = 0; seat < setup_.lists[client].size(); ++seat) {
      if (clients_.at(world.clients[client]).one.greeted[seat] >= setup_.greetings) {
        continue;
      }
      const std::size_t at = setup_.lists[client][seat];
      const Server& server = world.servers[at];
      ServerIdentity identity{.incarnation = store_name(at, server.wiped),
                              .proposed = std::nullopt,
                              .active = std::nullopt};
      if (server.proposed != 0) {
        identity.proposed = groups_.at(server.proposed - 1);
      }
      if (server.active != 0) {
        identity.active = groups_.at(server.active - 1).id;
      }
      World next = world;
      std::erase_if(next.entries, [&](const Entry& entry) {
        return entry.client == client && entry.seat == seat && entry.kind >= Kind::identity;
      });
      const Entry answer{Kind::identity, client, seat, server.wiped,
                         identities_.add(identity_key(identity), identity)};
      Client greeting = clients_.at(world.clients[client]).one;
      ++greeting.greeted[seat];
      next.clients[client] = keep(std::move(greeting));
      next.entries.push_back(answer);
      emit(std::move(next), [&] { return entry_text(answer); });
    }
  }
}

void FormingSpace::wipe_moves(const World& world) {
  for (std::size_t server = 0; world.wipes < setup_.wipes && server < setup_.servers; ++server) {
    World next = world;
    ++next.wipes;
    next.servers[server] = Server{.wiped = world.servers[server].wiped + 1};
    emit(std::move(next), [&] { return "server " + std::to_string(server + 1) + " is wiped"; });
  }
}

void FormingSpace::deliver(const World& world, std::size_t at) {
  const Entry entry = world.entries[at];
  World next = world;
  next.entries.erase(next.entries.begin() + static_cast<std::ptrdiff_t>(at));
  if (entry.kind == Kind::propose && mistake_ == Mistake::active_without_all) {
    World assumed = next;  // nothing was heard, and it is taken for done
    tell(std::move(assumed), {Kind::stands, entry.client, entry.seat, entry.wiped, entry.what});
  }
  if (entry.kind >= Kind::identity) {
    tell(std::move(next), entry);
  } else {
    serve(std::move(next), entry);
  }
}

// As every home of the acceptor does it: a proposal is set once, and only what stands is activated.
void FormingSpace::serve(World world, const Entry& entry) {
  Server& server = world.servers[server_of(entry)];
  Entry answer = entry;
  if (server.wiped != entry.wiped) {
    return;  // the connection ended with the store
  }
  if (entry.kind == Kind::propose) {
    if (server.proposed == 0 || mistake_ == Mistake::proposal_overwritten) {
      server.proposed = entry.what + 1;
    }
    answer.kind = Kind::stands;
    answer.what = server.proposed - 1;
  } else {
    if (server.proposed != entry.what + 1) {
      return;
    }
    server.active = entry.what + 1;
    answer.kind = Kind::activated;
  }
  world.entries.push_back(answer);
  emit(std::move(world), [&] { return entry_text(entry); });
}

std::vector<GroupStep> FormingSpace::feed(Client& client, const Entry& entry) const {
  std::vector<GroupStep> steps;
  auto& told = client.told[entry.seat];
  if (entry.kind == Kind::identity) {
    const ServerIdentity& identity = identities_.at(entry.what);
    if (told && told->incarnation != identity.incarnation) {
      client.asked[entry.seat] = 0;
    }
    told = identity;
    steps = client.assembly.on_identity(entry.seat, identity);
  } else if (entry.kind == Kind::stands) {
    told->proposed = groups_.at(entry.what);
    steps = client.assembly.on_proposed(entry.seat, groups_.at(entry.what));
  } else {
    if (told->proposed) {
      told->active = told->proposed->id;
    }
    steps = client.assembly.on_activated(entry.seat);
  }
  for (const GroupStep& step : steps) {
    client.asked[step.server] |= step.kind == GroupStep::Kind::propose ? 1U : 2U;
  }
  return steps;
}

void FormingSpace::tell(World world, const Entry& entry) {
  const Kept& kept = clients_.at(world.clients[entry.client]);
  Client client = kept.one;
  const std::vector<GroupStep> steps = feed(client, entry);
  if (kept.other) {
    Client twin = *kept.other;
    INVARIANT(feed(twin, entry).size() == steps.size());
    INVARIANT(key_of(twin) == key_of(client));
  }
  for (const GroupStep& step : steps) {
    const std::string& store = client.told[step.server]->incarnation;
    world.entries.push_back({step.kind == GroupStep::Kind::propose ? Kind::propose : Kind::activate,
                             entry.client, static_cast<std::uint32_t>(step.server),
                             static_cast<std::uint32_t>(std::ranges::count(store, 'w')),
                             group_number(step.group)});
  }
  world.clients[entry.client] = keep(std::move(client));
  emit(std::move(world), [&] { return entry_text(entry); });
}

bool FormingSpace::counts(const Client& client, std::size_t seat) const {
  return mistake_ == Mistake::nonmember_counted
             ? client.assembly.group().has_value() && client.told[seat].has_value()
             : client.assembly.votes(seat);
}

std::string FormingSpace::check(const World& world) const {
  std::map<std::uint32_t, std::size_t> voters;
  for (const Server& server : world.servers) {
    if (server.active != 0) {
      ++voters[server.active - 1];
    }
  }
  const auto decides = [&](const auto& one) {
    return one.second >= majority(groups_.at(one.first).members.size());
  };
  if (std::ranges::count_if(voters, decides) > 1) {
    return "groups: two groups have a majority of voters each";
  }
  std::optional<std::string> first;
  for (const std::uint32_t number : world.clients) {
    const Client& client = clients_.at(number).one;
    std::size_t votes = 0;
    for (std::size_t seat = 0; seat < client.told.size(); ++seat) {
      if (!counts(client, seat)) {
        continue;
      }
      ++votes;
      if (!std::ranges::binary_search(client.assembly.group()->members,
                                      client.told[seat]->incarnation)) {
        return "groups: the vote of " + client.told[seat]->incarnation +
               " counts, which is no member";
      }
    }
    if (votes >= majority(client.told.size())) {
      const std::string& id = client.assembly.group()->id;
      if (first && *first != id) {
        return "groups: one client decides with " + *first + ", another with " + id;
      }
      first = id;
    }
  }
  return "";
}

std::string FormingSpace::key_of(const Client& client) const {
  std::string key = std::to_string(client.index) + ' ' +
                    (client.assembly.group() ? client.assembly.group()->id : "-") +
                    (client.assembly.fatal_problem() != nullptr ? " fatal" : "");
  for (std::size_t seat = 0; seat < client.told.size(); ++seat) {
    key += ' ' + (client.told[seat] ? identity_key(*client.told[seat]) : "-") + ' ' +
           std::to_string(client.greeted[seat]) + ' ' + std::to_string(client.asked[seat]) +
           (client.assembly.votes(seat) ? " v" : "");
  }
  return key;
}

std::uint32_t FormingSpace::keep(Client client) {
  const std::size_t before = clients_.size();
  Kept kept{.one = client, .other = nullptr};
  const std::uint32_t number = clients_.add(key_of(client), std::move(kept));
  if (clients_.size() == before && !clients_.at(number).other) {
    clients_.at(number).other = std::make_unique<Client>(std::move(client));
  }
  return number;
}

std::string FormingSpace::entry_text(const Entry& entry) const {
  const std::string server = "server " + std::to_string(server_of(entry) + 1);
  const std::string client = "client " + std::to_string(entry.client + 1);
  switch (entry.kind) {
    case Kind::propose:
      return server + " is asked by " + client + " to keep " + groups_.at(entry.what).id;
    case Kind::activate:
      return server + " is asked by " + client + " to vote in " + groups_.at(entry.what).id;
    case Kind::identity:
      return server + " greets " + client + ": " + identity_key(identities_.at(entry.what));
    case Kind::stands:
      return client + " hears that on " + server + " stands " + groups_.at(entry.what).id;
    case Kind::activated:
      break;
  }
  return client + " hears that " + server + " votes in " + groups_.at(entry.what).id;
}

}  // namespace dexlock::sim
