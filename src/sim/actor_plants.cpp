// What a client does wrong when an error is planted in it.
#include <algorithm>
#include <utility>

#include "lock/quorum.hpp"
#include "sim/actor.hpp"
#include "sim/draw.hpp"

namespace dexlock::sim {

// Planted: what is shown of an heir is as if its lease stayed the short one.
Reply Actor::as_unclaimed(Reply reply) const {
  auto* answer = std::get_if<Answer>(&reply);
  if (answer != nullptr && answer->state.value && answer->verdict != Verdict::promise) {
    for (Holder& holder : answer->state.value->holders) {
      if (holder.ticket && holder.client != claim_.client) {
        holder.terms.lease = holder.terms.claim;
      }
    }
  }
  return reply;
}

// Planted: who stands first in line begins to work.
void Actor::take_ticket_for_grant(const Reply& reply) {
  const auto* answer = std::get_if<Answer>(&reply);
  if (answer == nullptr || answer->state.tickets.empty() || work_.on || !session_ ||
      waiting_session() == nullptr) {
    return;
  }
  if (std::ranges::min(answer->state.tickets, senior).claim.client == claim_.client) {
    work_.start = clock_now();
    work_.limit = terms_.lease;
    begin_work(FencingToken{record_of(answer->state).count + 1});
  }
}

// Planted: what is handed over to the next session claims a later start.
void Actor::restart_lease_now() {
  Saved saved = session_->saved();
  saved.start = clock_now();
  const auto bits = [&] { return static_cast<std::uint32_t>(around_.random.below(1U << 30U)); };
  setup_.proposer = ProposerId{bits(), bits()};
  session_ = std::make_unique<Session>(setup_);
  session_->resume(saved);
  ++process_;  // no reply to the earlier session reaches this one
  proposals_.on_new_session(name_ + '.' + std::to_string(process_));
  save();
  track_lease();
}

// Planted: who hands over to another proposes on at the ballot promised to that one.
void Actor::use_heirs_ballot(const Packet& packet) {
  const auto* accept = std::get_if<Accept>(&packet.request);
  if (accept == nullptr || !accept->next || accept->next->proposer == setup_.proposer) {
    return;
  }
  Packet forged = packet;
  Record taken_back = accept->value;
  taken_back.holders.clear();
  taken_back.op = OpId{"forged"};
  forged.attempt = 0x7fffffff;
  forged.request = Accept{*accept->next, taken_back, std::nullopt, false};
  post(std::move(forged));
}

void Actor::spoil(Request& request) const {
  auto* accept = std::get_if<Accept>(&request);
  if (auto* beat = std::get_if<Heartbeat>(&request);
      beat != nullptr && around_.planted(Plant::number_from_old_file)) {
    beat->beat = plain_beat_ + 1;
  }
  if (accept == nullptr) {
    return;
  }
  Record& value = accept->value;
  const bool mine = value.find(claim_.client) != nullptr;
  if (around_.planted(Plant::released_by_name) && !mine) {
    value.holders.clear();
  } else if (around_.planted(Plant::holder_forgotten)) {
    std::erase_if(value.holders, [&](const Holder& h) { return h.client != claim_.client; });
  } else if (around_.planted(Plant::token_not_raised) && mine && value.count > 1 &&
             value.holders.back().token == make_token(Epoch{1}, value.count)) {
    --value.count;
    --value.holders.back().token.value;
  }
}

}  // namespace dexlock::sim
