#include "sim/exhaust_register.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "lock/invariant.hpp"
#include "lock/quorum.hpp"
#include "sim/message_text.hpp"

namespace dexlock::sim {
namespace {

constexpr std::uint32_t kNobody = 15;
constexpr std::uint32_t kWhatBits = 26;
constexpr std::size_t kHeader = 6;

}  // namespace

RegisterSpace::RegisterSpace(RegisterCase setup, Mistake mistake)
    : setup_(std::move(setup)),
      mistake_(mistake),
      servers_(setup_.kind, mistake),
      clients_(setup_.clients, setup_.servers, servers_, mistake),
      judge_(servers_, setup_.stay) {}

Packed RegisterSpace::initial() {
  World world;
  for (std::size_t i = 0; i < setup_.clients.size(); ++i) {
    world.clients.push_back(clients_.fresh(i));
  }
  world.columns.resize(setup_.servers, Column{.server = servers_.fresh(), .entries = {}});
  if (setup_.before) {
    const std::uint32_t request = servers_.request(*setup_.before);
    for (std::size_t i = 0; i < setup_.servers; ++i) {
      Column& column = world.columns[i];
      if (i < setup_.stands_on) {
        column.server = servers_.serve(column.server, request).server;
      } else {
        column.entries.push_back({Kind::stray, kNobody, request});
      }
    }
  }
  return pack(world);
}

RegisterSpace::World RegisterSpace::unpack(const Packed& state) const {
  World world{.complete = state[0],
              .beats = state[1],
              .late_from = state[2],
              .repeats = state[3],
              .restarts = state[4],
              .clean_stops = state[5],
              .clients = {},
              .columns = {}};
  std::size_t at = kHeader;
  for (std::size_t i = 0; i < setup_.clients.size(); ++i) {
    world.clients.push_back(state[at++]);
  }
  world.columns.resize(setup_.servers);
  for (Column& column : world.columns) {
    const std::uint32_t count = state[at++];
    column.server = state[at++];
    column.sight = state[at++];
    column.shown = state[at++];
    for (std::uint32_t i = 0; i < count; ++i, ++at) {
      column.entries.push_back({static_cast<Kind>(state[at] >> 30U), (state[at] >> kWhatBits) & 15U,
                                state[at] & ((1U << kWhatBits) - 1)});
    }
  }
  return world;
}

Packed RegisterSpace::pack(const World& world) {
  Packed state{world.complete, world.beats,    world.late_from,
               world.repeats,  world.restarts, world.clean_stops};
  state.reserve(64);
  state.insert(state.end(), world.clients.begin(), world.clients.end());
  for (const Column& column : world.columns) {
    state.push_back(static_cast<std::uint32_t>(column.entries.size()));
    state.push_back(column.server);
    state.push_back(column.sight);
    state.push_back(column.shown);
    for (const Entry& entry : column.entries) {
      INVARIANT(entry.what < (1U << kWhatBits));
      state.push_back((static_cast<std::uint32_t>(entry.kind) << 30U) |
                      (entry.client << kWhatBits) | entry.what);
    }
  }
  return state;
}

Packed RegisterSpace::canonical(const Packed& state) const {
  std::vector<std::pair<std::size_t, std::size_t>> columns;  // begin, length
  std::size_t at = kHeader + setup_.clients.size();
  const std::size_t first = at;
  for (std::size_t i = 0; i < setup_.servers; ++i) {
    columns.emplace_back(at, state[at] + 4U);
    at += state[at] + 4U;
  }
  const auto span = [&](const auto& column) {
    const auto begin = state.begin() + static_cast<std::ptrdiff_t>(column.first);
    return std::ranges::subrange(begin, begin + static_cast<std::ptrdiff_t>(column.second));
  };
  std::ranges::sort(columns, [&](const auto& a, const auto& b) {
    return std::ranges::lexicographical_compare(span(a), span(b));
  });
  Packed sorted(state.begin(), state.begin() + static_cast<std::ptrdiff_t>(first));
  sorted.reserve(state.size());
  for (const auto& column : columns) {
    const auto range = span(column);
    sorted.insert(sorted.end(), range.begin(), range.end());
  }
  return sorted;
}

// Drops what can change nothing any more, and orders what has no order.
void RegisterSpace::tidy(World& world) {
  const bool watched = std::ranges::any_of(
      world.clients, [&](std::uint32_t client) { return clients_.may_evict(client); });
  for (Column& column : world.columns) {
    column.sight = watched ? column.sight : 0;
    column.shown = watched ? column.shown : 0;
    std::erase_if(column.entries, [&](Entry& entry) {
      const bool nobody = entry.client == kNobody;
      const bool done = nobody || !clients_.may_start_later(world.clients[entry.client]);
      if (entry.kind == Kind::notice) {
        return done ||
               entry.what <= clients_.node(world.clients[entry.client]).proposer.round_seen();
      }
      if (entry.kind != Kind::stray || !done || setup_.kind.files) {
        return false;
      }
      entry.client = kNobody;
      const Request& request = servers_.request_of(entry.what);
      if (std::holds_alternative<Heartbeat>(request)) {
        return false;
      }
      // Refused or repeated once, refused or repeated for ever.
      const ServerStep& step = servers_.serve(column.server, entry.what);
      return !step.changed && (step.verdict == Verdict::low || step.verdict == Verdict::accepted);
    });
    std::ranges::sort(column.entries);
    const auto repeated = std::ranges::unique(column.entries);
    column.entries.erase(repeated.begin(), repeated.end());
  }
}

void RegisterSpace::emit(World world, std::string finding, const Text& text) {
  tidy(world);
  moves_->push_back({pack(world), texts_ ? text() : "", std::move(finding)});
}

void RegisterSpace::expand(const Packed& state, bool texts, std::vector<Move>& moves) {
  moves_ = &moves;
  texts_ = texts;
  const World world = unpack(state);
  serve_moves(world);
  restart_moves(world);
  client_moves(world);
  beat_moves(world);
  observe_moves(world);
  learn_moves(world);
}

std::string RegisterSpace::name_of(std::uint32_t client) const {
  return client == kNobody ? "" : "from " + setup_.clients[client].name + ' ';
}

void RegisterSpace::serve_moves(const World& world) {
  for (std::size_t server = 0; server < world.columns.size(); ++server) {
    const auto& entries = world.columns[server].entries;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].kind != Kind::request && entries[i].kind != Kind::stray) {
        continue;
      }
      for (const bool cut : {false, true}) {
        if (cut && !setup_.kind.files) {
          break;
        }
        serve(world, server, i, entries[i].what, false, cut);
        if (world.repeats < setup_.repeats) {
          serve(world, server, i, entries[i].what, true, cut);
        }
      }
      if (const std::uint32_t shy = without_promise(entries[i].what);
          setup_.shy && shy != entries[i].what) {
        serve(world, server, i, shy, false, false);
      }
    }
  }
}

std::uint32_t RegisterSpace::without_promise(std::uint32_t request) {
  const auto* accept = std::get_if<Accept>(&servers_.request_of(request));
  if (accept == nullptr || !accept->next) {
    return request;
  }
  Accept shy = *accept;
  shy.next.reset();
  return servers_.request(shy);
}

void RegisterSpace::serve(const World& world, std::size_t server, std::size_t at,
                          std::uint32_t request, bool again, bool cut) {
  const Entry entry = world.columns[server].entries[at];
  const ServerStep& step = servers_.serve(world.columns[server].server, request, cut);
  if (cut && !step.silent) {
    return;  // there was no rename to be cut off at
  }
  World next = world;
  Column& column = next.columns[server];
  column.server = step.server;
  next.repeats += again ? 1 : 0;
  if (!again) {
    column.entries.erase(column.entries.begin() + static_cast<std::ptrdiff_t>(at));
  }
  if (!step.silent && entry.kind == Kind::request) {
    column.entries.push_back({Kind::reply, entry.client, step.reply});
  } else if (!step.silent && entry.client != kNobody) {
    const std::uint32_t round = servers_.reply_of(step.reply).state.promised.round;
    column.entries.push_back({Kind::notice, entry.client, round});
  }
  std::string finding;
  if (step.verdict == Verdict::two_values) {
    finding = "ballots: two values were proposed under one ballot";
  } else if (step.voted || step.acknowledged) {
    finding = check(next);
  }
  emit(std::move(next), std::move(finding), [&] {
    return "server " + std::to_string(server + 1) + " gets " + name_of(entry.client) +
           request_text(servers_.request_of(request)) + (again ? " (will come again)" : "") +
           (step.silent ? ", cut off before the sync"
                        : " -> " + reply_text(servers_.reply_of(step.reply)));
  });
}

void RegisterSpace::restart_moves(const World& world) {
  for (std::size_t server = 0; server < world.columns.size(); ++server) {
    if (world.restarts < setup_.restarts) {
      restart(world, server, Restart::power_cut);
    }
    if (world.clean_stops < setup_.clean_stops) {
      restart(world, server, Restart::clean_stop);
    }
  }
}

void RegisterSpace::restart(const World& world, std::size_t server, Restart how) {
  const bool clean = how == Restart::clean_stop;
  World next = world;
  next.columns[server].server = servers_.restarted(next.columns[server].server, how);
  ++(clean ? next.clean_stops : next.restarts);
  emit(std::move(next), "", [&] {
    return "server " + std::to_string(server + 1) + (clean ? " stops cleanly and" : "") +
           " restarts";
  });
}

Judged& RegisterSpace::judged(const World& world) {
  std::vector<std::uint32_t> lists;
  for (const Column& column : world.columns) {
    lists.push_back(servers_.node(column.server).vote_list);
  }
  return judge_.judged(std::move(lists));
}

// The votes, and: once an eviction is chosen, no heartbeat begun after its observation is ever
// acknowledged by a majority, before or after.
std::string RegisterSpace::check(const World& world) {
  const Judged& judged = this->judged(world);
  if (!judged.finding.empty() || !world.complete || !setup_.victim) {
    return judged.finding;
  }
  for (std::uint32_t beat = world.late_from + 1; beat <= world.beats; ++beat) {
    const auto acks = std::ranges::count_if(world.columns, [&](const Column& column) {
      return servers_.node(column.server).acks.contains({setup_.victim->token, beat});
    });
    if (static_cast<std::size_t>(acks) >= majority(setup_.servers) &&
        judged.expired(setup_.victim->token)) {
      return "evictions: token " + std::to_string(setup_.victim->token.value) +
             " was evicted, and heartbeat " + std::to_string(beat) +
             ", begun after the observation, is acknowledged by a majority";
    }
  }
  return "";
}

}  // namespace dexlock::sim
