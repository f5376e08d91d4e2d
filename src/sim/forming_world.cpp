#include "sim/forming_world.hpp"

#include <algorithm>
#include <utility>

#include "lock/quorum.hpp"

namespace dexlock::sim {
namespace {

// From the end of the faults: what is under way comes to its end, then a process that began before
// finds out, and another one settles it.
Nanoseconds bound(const FormingMix& mix) {
  return 6 * (mix.patience + mix.poll * 10 + mix.slow_max + mix.down_max) + std::chrono::seconds(5);
}

}  // namespace

FormingWorld::FormingWorld(const FormingMix& mix, std::uint64_t seed, Plant plant, bool tracing)
    : mix_(mix), around_(mix_, plant, seed, tracing) {
  for (std::size_t i = 0; i < mix_.servers(); ++i) {
    servers_.push_back(std::make_unique<FormingServer>(i, around_));
  }
  for (std::size_t i = 0; i < mix_.clients; ++i) {
    const std::size_t first = i % 2 == 0 ? 0 : mix_.shifted;
    std::vector<FormingServer*> list;
    for (std::size_t s = first; s < first + mix_.listed; ++s) {
      list.push_back(servers_[s].get());
    }
    clients_.push_back(std::make_unique<FormingClient>(i, std::move(list), around_));
    around_.after(between(around_.random, Nanoseconds(0), mix_.begin_max),
                  [client = clients_.back().get()] { client->start(); });
  }
}

RunReport FormingWorld::run() {
  repeat(mix_.wipe_every, &FormingWorld::wipe);
  repeat(mix_.crash_every, &FormingWorld::crash);
  repeat(mix_.kill_every, &FormingWorld::kill);
  around_.after(mix_.faulty, [this] { heal(); });
  const Nanoseconds deadline = mix_.faulty + bound(mix_);
  const auto all_settled = [this] {
    return around_.healed &&
           std::ranges::all_of(clients_, [this](const auto& c) { return settled(*c); });
  };
  while (!around_.findings.first() && !all_settled()) {
    INVARIANT(!around_.schedule.empty());
    const SimEvent event = around_.schedule.take();
    if (event.at > deadline) {
      break;
    }
    around_.log.mix(static_cast<std::uint64_t>(event.at.count()));
    if (auto action = std::exchange(around_.actions[event.what], nullptr)) {
      action();
    }
  }
  judge_end();
  around_.counts.add(Seen::events, around_.schedule.done());
  around_.counts.add(Seen::forming_runs);
  around_.counts.add(Seen::groups_active, around_.judge.active_groups());
  return RunReport{.finding = around_.findings.first(),
                   .counts = around_.counts,
                   .hash = around_.log.hash(),
                   .last_draw = around_.random.next(),
                   .simulated = around_.now(),
                   .healed_in = around_.healed ? around_.now() - mix_.faulty : Nanoseconds(0),
                   .bound = bound(mix_),
                   .trace = {around_.log.lines().begin(), around_.log.lines().end()}};
}

void FormingWorld::repeat(Nanoseconds mean, void (FormingWorld::*strike)()) {
  if (mean.count() == 0) {
    return;
  }
  around_.after(between(around_.random, Nanoseconds(1000), 2 * mean), [this, mean, strike] {
    if (!around_.healed) {
      (this->*strike)();
      repeat(mean, strike);
    }
  });
}

void FormingWorld::wipe() { servers_[around_.random.below(servers_.size())]->wipe(); }

void FormingWorld::crash() {
  const std::size_t index = around_.random.below(servers_.size());
  FormingServer& server = *servers_[index];
  if (!server.up()) {
    return;
  }
  around_.counts.add(Seen::machine_crashes);
  around_.note("s" + std::to_string(index), "crashes");
  server.set_up(false);
  around_.after(between(around_.random, Nanoseconds(1), mix_.down_max),
                [&server] { server.set_up(true); });
}

void FormingWorld::kill() { clients_[around_.random.below(clients_.size())]->kill(); }

void FormingWorld::heal() {
  around_.note("everything", "heals");
  around_.healed = true;
  for (auto& server : servers_) {
    server->set_up(true);
  }
  for (auto& client : clients_) {
    client->heal();
  }
}

FormingWorld::Due FormingWorld::due(const FormingClient& client) const {
  std::optional<Group> active;
  std::size_t members = 0;
  bool conflict = false;
  std::vector<std::string> incarnations;
  for (const FormingServer* server : client.list()) {
    incarnations.push_back(server->incarnation());
    if (server->active()) {
      conflict = conflict || (active && *active != *server->proposed());
      active = server->proposed();
    }
  }
  std::ranges::sort(incarnations);
  for (const FormingServer* server : client.list()) {
    const auto& proposed = server->proposed();
    const bool foreign =
        proposed && (active ? *proposed != *active : proposed->members != incarnations);
    conflict = conflict || foreign;
    members += active && proposed == active ? 1U : 0U;
  }
  const bool unlike = active && active->members.size() != client.list().size();
  const bool memory = client.remembered() && (!active || *client.remembered() != active->id);
  if (conflict || unlike || memory) {
    return Due::refused;
  }
  if (active) {
    return members >= majority(client.list().size()) ? Due::served : Due::reported;
  }
  return mix_.shifted == 0 ? Due::served : Due::open;
}

bool FormingWorld::settled(const FormingClient& client) const {
  switch (due(client)) {
    case Due::served:
      return client.served();
    case Due::refused:
      // Or it found what it says, or a majority, before the rest came to be.
      return client.refused() || client.reported() || client.served();
    case Due::reported:
      return client.reported();
    case Due::open:
      break;
  }
  return false;
}

// Whatever was wrong is settled or said.
void FormingWorld::judge_end() {
  for (const auto& client : clients_) {
    if (!settled(*client)) {
      const Due what = due(*client);
      around_.findings.add(around_.now(), "forming",
                           std::string("healed, and this client should have been ") +
                               (what == Due::served    ? "served"
                                : what == Due::refused ? "told that its list cannot be used"
                                                       : "told what is wrong, or served") +
                               ": " + client->describe());
    }
  }
}

}  // namespace dexlock::sim
