#include "client/lock_sights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "client/clock.hpp"
#include "client/held_text.hpp"
#include "client/who_text.hpp"
#include "lease/timing.hpp"
#include "lock/quorum.hpp"
#include "lock/ticket.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

// Heartbeats are numbered by the holder's clock, tenths of a second since boot.
constexpr milliseconds kBeatUnit{100};

Sharing sharing_of(const Claim& claim) {
  switch (claim.mode) {
    case Mode::exclusive:
      return {};
    case Mode::shared:
      return {.mode = Sharing::Mode::shared};
    case Mode::semaphore:
      return {.mode = Sharing::Mode::permits, .permits = claim.weight, .of = claim.capacity};
  }
  std::unreachable();
}

std::string name_of(const std::string& who, const ClientId& client) {
  return who.empty() ? client.text : who;
}

// USER@HOST pid ...
bool is_of_this_host(const std::string& who) {
  static const std::string host = [] {
    const std::string name = who_here(0, "").host;
    return name.substr(0, name.find('.'));
  }();
  const auto at = who.find('@');
  return at != std::string::npos && who.substr(at + 1).starts_with(host + " pid ");
}

// Nothing if the number is none of this machine's clock.
std::optional<milliseconds> age_of(std::uint32_t beat) {
  const auto age = std::chrono::duration_cast<milliseconds>(now().boot) - beat * kBeatUnit;
  return age.count() >= 0 ? std::optional(age) : std::nullopt;
}

const State& newest_of(const std::vector<ShownState>& shown) {
  return std::ranges::max_element(shown,
                                  [](const ShownState& a, const ShownState& b) {
                                    return std::pair(!a.state.copied, a.state.accepted) <
                                           std::pair(!b.state.copied, b.state.accepted);
                                  })
      ->state;
}

// By this machine's clock, where a majority of the stores is here: a name of a host proves nothing,
// and of a newer heartbeat a majority would show one.
bool has_lapsed_by_age(const HolderSight& sight, const Holder& holder,
                       const std::vector<ShownState>& shown, std::size_t servers) {
  const auto witnesses = std::ranges::count_if(shown, [&](const ShownState& one) {
    return one.same_machine && record_of(one.state).find(holder.token) != nullptr;
  });
  return sight.heartbeat_age &&
         *sight.heartbeat_age >= observation_time(holder.terms, true, kDriftPpm) + kBeatUnit &&
         static_cast<std::size_t>(witnesses) >= majority(servers);
}

HolderSight holder_sight(const Record& record, const Holder& holder,
                         const std::vector<ShownState>& shown, std::size_t servers,
                         const Silence& silence) {
  HolderSight sight{.token = holder.token.value,
                    .who = name_of(holder.who, holder.client),
                    .sharing = sharing_of(record, holder.token),
                    .timeout = holder.terms.lease,
                    .stop_timeout = holder.terms.stop};
  bool here = is_of_this_host(holder.who);
  for (const ShownState& one : shown) {
    here = here || one.same_machine;
    if (const auto beat = one.state.beats.find(holder.token); beat != one.state.beats.end()) {
      sight.heartbeat = std::max(sight.heartbeat.value_or(0), beat->second);
    }
  }
  if (here && sight.heartbeat) {
    sight.heartbeat_age = age_of(*sight.heartbeat);
  }
  const Instant at = now();
  sight.unchanged = silence.unchanged(holder, at);
  sight.lapsed = silence.has_lapsed(holder, at) || has_lapsed_by_age(sight, holder, shown, servers);
  return sight;
}

std::string closed_text(const Gate& gate) {
  const std::string note = gate.note.empty() ? "" : ": " + gate.note;
  switch (gate.state) {
    case GateState::open:
      return "";
    case GateState::hold:
      return "on hold" + note;
    case GateState::moved:
      return "moved" + note;
  }
  std::unreachable();
}

}  // namespace

std::string_view end_word(EndKind how) {
  switch (how) {
    case EndKind::released:
      return "released";
    case EndKind::expired:
      return "expired";
    case EndKind::broken:
      return "broken";
  }
  std::unreachable();
}

std::string HolderSight::lapse() const {
  if (!lapsed) {
    return "";
  }
  const auto silent =
      std::max(heartbeat_age.value_or(milliseconds(0)), unchanged.value_or(milliseconds(0)));
  return fmt::format("no sign of life for {} s, may be taken over",
                     silent / std::chrono::seconds(1));
}

LockSight lock_sight(const std::string& name, const std::vector<ShownState>& shown,
                     std::size_t servers, const Silence& silence) {
  LockSight sight{.name = name};
  if (shown.empty()) {
    return sight;
  }
  const State& newest = newest_of(shown);
  const Record record = record_of(newest);
  if (record.count > 0) {
    sight.last_token = make_token(Epoch{newest.promised.epoch}, record.count).value;
  }
  sight.closed = closed_text(record.gate);
  for (const Holder& holder : record.holders) {
    sight.holders.push_back(holder_sight(record, holder, shown, servers, silence));
  }
  std::vector<Ticket> tickets;
  for (const ShownState& one : shown) {
    const State& state = one.state;
    tickets.insert(tickets.end(), state.tickets.begin(), state.tickets.end());
    sight.shown_by += state.accepted == newest.accepted && state.value == newest.value ? 1U : 0U;
  }
  for (const Ticket& ticket : merge_tickets(std::move(tickets))) {
    if (record.find(ticket.claim.client) == nullptr) {  // else it has what it waited for
      sight.waiters.push_back({.number = ticket.number,
                               .who = name_of(ticket.who, ticket.claim.client),
                               .sharing = sharing_of(ticket.claim)});
    }
  }
  if (record.last) {
    sight.last = LastHolderSight{.token = record.last->token.value,
                                 .who = name_of(record.last->who, record.last->client),
                                 .how = std::string(end_word(record.last->how))};
  }
  if (record.data_token.value != 0) {
    sight.value = record.data;
    sight.value_token = record.data_token.value;
  }
  return sight;
}

}  // namespace dexlock
