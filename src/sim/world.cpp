#include "sim/world.hpp"

#include <algorithm>
#include <utility>

#include "sim/draw.hpp"
#include "sim/etcd_mix.hpp"
#include "sim/message_text.hpp"
#include "sim/once_owner.hpp"
#include "sim/package_host.hpp"
#include "sim/runner.hpp"

namespace dexlock::sim {
namespace {

std::uint64_t fingerprint(const Packet& packet) {
  std::uint64_t print = (std::uint64_t{packet.actor} << 40U) ^ (packet.server << 32U) ^
                        (std::uint64_t{packet.process} << 8U) ^ packet.request.index();
  if (packet.is_reply) {
    if (const auto* answer = std::get_if<Answer>(&packet.reply)) {
      print ^= (static_cast<std::uint64_t>(answer->verdict) << 20U) ^
               (std::uint64_t{answer->state.promised.round} << 24U) ^ 1U;
    }
  }
  return print ^ packet.attempt;
}

}  // namespace

World::World(const Mix& mix, std::uint64_t seed, Plant plant, bool tracing)
    : mix_(mix), around_(mix_, plant, seed, tracing), network_(around_) {
  around_.network = &network_;
  if (mix_.members != 0) {
    etcd_ = std::make_unique<EtcdCluster>(around_);
    around_.etcd = etcd_.get();
  }
  for (std::size_t i = 0; i < mix_.servers && !etcd_; ++i) {
    servers_.push_back(std::make_unique<FakeServer>(i, around_));
  }
  for (std::size_t i = 0; i < mix_.clients; ++i) {
    if (happens(around_.random, mix_.package_share)) {
      actors_.push_back(std::make_unique<PackageHost>(i, around_));
    } else if (happens(around_.random, mix_.once_share)) {
      actors_.push_back(std::make_unique<OnceOwner>(i, around_));
    } else {
      actors_.push_back(std::make_unique<Runner>(i, around_));
    }
    around_.actors.push_back(actors_.back().get());
  }
}

RunReport World::run() {
  for (Actor* actor : around_.actors) {
    actor->on_timer();
  }
  for (std::uint32_t kind = 0; kind < static_cast<std::uint32_t>(FaultKind::count); ++kind) {
    plan(static_cast<FaultKind>(kind));
  }
  around_.schedule.add(mix_.faulty, EventKind::heal, 0);
  const Nanoseconds deadline = mix_.faulty + progress_bound();
  RunReport report;
  while (!around_.findings.first() && !(around_.healed && all_satisfied())) {
    INVARIANT(!around_.schedule.empty());
    const SimEvent event = around_.schedule.take();
    if (around_.ends_at && event.at > *around_.ends_at) {
      break;
    }
    if (event.at > deadline) {
      around_.findings.add(event.at, "progress", stuck_text());
      break;
    }
    handle(event);
    check_standstill();
  }
  around_.counts.add(Seen::events, around_.schedule.done());
  around_.counts.add(Seen::chosen, around_.registers.chosen());
  around_.counts.add(Seen::evictions, around_.evictions.evictions());
  around_.counts.add(Seen::overlaps, around_.holds.overlaps());
  around_.counts.add(Seen::inherited, around_.queue.inherited());
  around_.counts.add(Seen::told_chosen, around_.linearizable.answers());
  if (!around_.ends_at) {
    around_.counts.add(Seen::check_gave_up, around_.linearizable.gave_up());
  }
  report.finding = around_.findings.first();
  report.counts = around_.counts;
  report.hash = around_.log.hash();
  report.last_draw = around_.random.next();
  report.simulated = around_.now();
  report.healed_in = around_.healed ? around_.now() - mix_.faulty : Nanoseconds(0);
  report.bound = progress_bound();
  report.largest_record = around_.registers.largest_record();
  report.trace.assign(around_.log.lines().begin(), around_.log.lines().end());
  return report;
}

// Somebody who is woken again and again at one moment has nothing to do there.
void World::check_standstill() {
  constexpr std::uint32_t kMost = 20'000;
  at_this_moment_ = around_.now() == moment_ ? at_this_moment_ + 1 : 0;
  moment_ = around_.now();
  if (at_this_moment_ > kMost) {
    around_.findings.add(moment_, "progress",
                         "time stands still: somebody wakes without end; " + everybody_text());
  }
}

void World::handle(const SimEvent& event) {
  around_.log.mix(static_cast<std::uint64_t>(event.at.count()));
  switch (event.kind) {
    case EventKind::deliver:
      deliver(event.what);
      break;
    case EventKind::actor_timer:
      around_.actors[event.what]->on_timer();
      break;
    case EventKind::fault:
      if (!around_.healed) {
        strike(static_cast<FaultKind>(event.what));
        plan(static_cast<FaultKind>(event.what));
      }
      break;
    case EventKind::repair:
      if (auto repair = std::exchange(repairs_[event.what], nullptr)) {
        repair();
      }
      break;
    case EventKind::heal:
      heal();
      break;
    case EventKind::etcd:
      etcd_->on_event(event.what);
      break;
  }
}

void World::deliver(std::uint32_t slot) {
  const Packet& packet = network_.packet(slot);
  around_.log.mix(fingerprint(packet));
  if (packet.is_reply) {
    if (around_.log.tracing()) {
      around_.log.line(around_.now(), "c" + std::to_string(packet.actor) + "." +
                                          std::to_string(packet.process) + " <- s" +
                                          std::to_string(packet.server) + ' ' +
                                          reply_text(packet.reply));
    }
    around_.actors[packet.actor]->on_packet(packet);
  } else {
    serve(packet);
  }
  network_.arrived(slot);
}

void World::serve(const Packet& packet) {
  FakeServer& server = *servers_[packet.server];
  const auto say = [&](const std::string& what) {
    if (around_.log.tracing()) {
      around_.log.line(around_.now(), "s" + std::to_string(packet.server) + " <- c" +
                                          std::to_string(packet.actor) + "." +
                                          std::to_string(packet.process) + ' ' +
                                          request_text(packet.request) + ": " + what);
    }
  };
  if (!server.up()) {
    say("down");
    if (happens(around_.random, mix_.told_unreachable)) {
      network_.send_reply(packet, Fault{dexlock::FaultKind::unreachable, "down"}, Nanoseconds(0));
    }
    return;
  }
  auto reply = server.serve(packet.request);
  if (!reply) {
    say("crashes in the middle of it");
    around_.counts.add(Seen::machine_crashes);
    server.set_up(false);
    repair_later(mix_.down_max, [&server] { server.set_up(true); });
    return;
  }
  if (around_.log.tracing()) {
    say(reply_text(*reply));
  }
  constexpr Nanoseconds kSlowestSync = std::chrono::milliseconds(2);
  const bool writes = std::holds_alternative<Prepare>(packet.request) ||
                      std::holds_alternative<Accept>(packet.request) ||
                      std::holds_alternative<Fast>(packet.request);
  const Nanoseconds took =
      writes ? between(around_.random, Nanoseconds(1000), kSlowestSync) : Nanoseconds(1000);
  if (mix_.pushes) {
    push(packet, *reply, took);
  }
  network_.send_reply(packet, std::move(*reply), took);
}

// Who waits has looked or posted a ticket here; all of them hear of each value that is taken.
void World::push(const Packet& packet, const Reply& reply, Nanoseconds took) {
  if (std::holds_alternative<Read>(packet.request) ||
      std::holds_alternative<Post>(packet.request)) {
    Packet watch = packet;
    watch.attempt = kNews;
    watches_[packet.server].insert_or_assign(packet.actor, std::move(watch));
  }
  const auto* answer = std::get_if<Answer>(&reply);
  if (answer == nullptr || answer->verdict != Verdict::accepted) {
    return;
  }
  for (const auto& [actor, watch] : watches_[packet.server]) {
    if (actor != packet.actor) {
      around_.counts.add(Seen::pushes);
      network_.send_reply(watch, Answer{Verdict::state, answer->state}, took);
    }
  }
}

std::string World::everybody_text() const {
  std::string text;
  for (const Actor* actor : around_.actors) {
    text += (text.empty() ? "" : "; ") + actor->describe();
  }
  return text;
}

bool World::all_satisfied() const {
  return std::ranges::all_of(around_.actors, [](const Actor* a) { return a->satisfied(); });
}

// How long it may take from the end of the faults until everybody was served: a dead holder is
// waited out, a wrong belief runs out, then one after the other has it for a quarter of a lease.
Nanoseconds World::progress_bound() const {
  const Nanoseconds whole = Nanoseconds(mix_.lease + mix_.stop) * mix_.lease_times_max;
  const Nanoseconds turn = Nanoseconds(mix_.lease) * mix_.lease_times_max + mix_.poll_max * 2 +
                           mix_.attempt_limit * 2 + std::chrono::seconds(2);
  const bool odd = mix_.clocks == ClockFaults::unbounded;
  // Calls that were lost just before, and a record that was removed under its holder.
  const Nanoseconds etcd = mix_.call_limit * 10 +
                           (mix_.remove_every.count() > 0 ? record_gone_for(mix_) : Nanoseconds(0));
  return (whole * 5 + turn * static_cast<std::int64_t>(mix_.clients)) * (odd ? 4 : 1) + etcd;
}

std::string World::stuck_text() const {
  std::string text =
      "healed for " + std::to_string(progress_bound().count() / 1'000'000) + " ms, and not served:";
  for (const Actor* actor : around_.actors) {
    if (!actor->satisfied()) {
      text += ' ' + actor->describe() + ';';
    }
  }
  return text;
}

Actor& World::any_actor() { return *around_.actors[around_.random.below(around_.actors.size())]; }

}  // namespace dexlock::sim
