#include "sim/network.hpp"

#include <utility>

#include "sim/draw.hpp"

namespace dexlock::sim {

Network::Network(Surroundings& around)
    : around_(around), links_(around.mix.clients * around.mix.places()) {
  for (Link& link : links_) {
    link.delay = between(around.random, around.mix.delay_min, around.mix.delay_max);
  }
}

Nanoseconds Network::delay(const Link& link) {
  const Nanoseconds usual = link.delay + between(around_.random, Nanoseconds(0), link.delay);
  if (!around_.healed && happens(around_.random, around_.mix.slow_message)) {
    return usual + between(around_.random, Nanoseconds(0), around_.mix.slow_max);
  }
  return usual;
}

void Network::send_request(Packet packet) {
  around_.counts.add(Seen::requests);
  const Link& the_link = link(packet.actor, packet.server);
  if (the_link.cuts_there > 0) {
    return;
  }
  post(std::move(packet), Nanoseconds(0), around_.mix.lose_request);
}

void Network::send_reply(const Packet& request, Reply reply, Nanoseconds took) {
  around_.counts.add(Seen::replies);
  const Link& the_link = link(request.actor, request.server);
  if (the_link.cuts_back > 0) {
    return;
  }
  Packet packet{.actor = request.actor,
                .process = request.process,
                .server = request.server,
                .listed_as = request.listed_as,
                .attempt = request.attempt,
                .sent = request.sent,
                .is_reply = true,
                .request = Read{},
                .reply = std::move(reply)};
  post(std::move(packet), took, around_.mix.lose_reply);
}

void Network::post(Packet packet, Nanoseconds after, std::uint32_t lost) {
  const Link& the_link = link(packet.actor, packet.server);
  std::uint32_t copies = 1;
  if (!around_.healed) {
    copies += happens(around_.random, around_.mix.repeat) ? 1U : 0U;
    if (happens(around_.random, lost)) {
      const bool noticed = happens(around_.random, around_.mix.told_unreachable);
      if (!noticed) {
        return;
      }
      packet.is_reply = true;
      packet.reply = Fault{FaultKind::unreachable, "lost"};
    }
  }
  std::uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(packets_.size());
    packets_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  packet.copies = copies;
  packets_[slot] = std::move(packet);
  for (std::uint32_t copy = 0; copy < copies; ++copy) {
    around_.schedule.add(around_.now() + after + delay(the_link), EventKind::deliver, slot);
  }
}

Passage Network::passage(const Link& link, bool cut, std::uint32_t lost) {
  const Nanoseconds takes = delay(link);
  if (cut) {
    return {Fate::lost, takes};
  }
  if (around_.healed || !happens(around_.random, lost)) {
    return {Fate::arrives, takes};
  }
  const bool noticed = happens(around_.random, around_.mix.told_unreachable);
  return {noticed ? Fate::noticed : Fate::lost, takes};
}

Passage Network::there(std::size_t actor, std::size_t server) {
  const Link& way = link(actor, server);
  return passage(way, way.cuts_there > 0, around_.mix.lose_request);
}

Passage Network::back(std::size_t actor, std::size_t server) {
  const Link& way = link(actor, server);
  return passage(way, way.cuts_back > 0, around_.mix.lose_reply);
}

void Network::arrived(std::uint32_t slot) {
  if (--packets_[slot].copies == 0) {
    free_.push_back(slot);
  }
}

void Network::cut(std::size_t actor, std::size_t server, bool towards_server, bool is_cut) {
  Link& the_link = link(actor, server);
  std::uint32_t& cuts = towards_server ? the_link.cuts_there : the_link.cuts_back;
  if (is_cut) {
    ++cuts;
  } else if (cuts > 0) {
    --cuts;
  }
}

void Network::heal() {
  for (Link& each : links_) {
    each.cuts_there = 0;
    each.cuts_back = 0;
  }
}

}  // namespace dexlock::sim
