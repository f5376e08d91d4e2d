#include "register/promise_ceiling.hpp"

#include <algorithm>

#include "lock/fields.hpp"
#include "lock/invariant.hpp"

namespace dexlock {
namespace {

constexpr std::uint32_t kProposerPartMax = static_cast<std::uint32_t>(kSmallNumberMax);

// Neither the fence nor the accepted ballot is above the promise.
std::uint32_t last_unsynced_round(const Durable& synced, const PromiseCeiling& ceiling) {
  return synced.promised.round + std::min(ceiling.rounds, kRoundMax - synced.promised.round);
}

// Above all ballots of the round that anybody can propose.
Ballot ceiling_of(const Durable& synced, const PromiseCeiling& ceiling) {
  return Ballot{.epoch = synced.promised.epoch,
                .round = last_unsynced_round(synced, ceiling),
                .proposer = {kProposerPartMax, kProposerPartMax},
                .fast = 1};
}

bool sets_a_fence(const Prepare& prepare) {
  return prepare.intent == Intent::evict || prepare.intent == Intent::force;
}

}  // namespace

Ballot promised_in_effect(const Durable& synced, const Soft& soft, const PromiseCeiling& ceiling) {
  const Ballot kept = std::max(synced.promised, soft.promised.value_or(synced.promised));
  return ceiling.lost ? std::max(kept, ceiling_of(synced, ceiling)) : kept;
}

CeilingStep apply(Durable& synced, Soft& soft, const BootId& boot, const Request& request,
                  PromiseCeiling& ceiling) {
  const Ballot synced_before = synced.promised;
  const std::uint32_t last_round = last_unsynced_round(synced, ceiling);
  synced.promised = promised_in_effect(synced, soft, ceiling);
  CeilingStep step{apply(synced, soft, boot, request)};
  const auto* prepare = std::get_if<Prepare>(&request);
  if (step.verdict == Verdict::promise && !sets_a_fence(*prepare) &&
      prepare->ballot.round <= last_round) {
    INVARIANT(!ceiling.lost);  // or it was at most the ceiling
    soft.promised = prepare->ballot;
    synced.promised = synced_before;
    step.durable_changed = false;
    step.soft_changed = step.unsynced = true;
  } else if (step.durable_changed) {
    soft.promised.reset();  // may stay in the table: it is not above what is synced now
    ceiling.lost = false;
  } else {
    synced.promised = synced_before;
  }
  return step;
}

State state_of(const Durable& synced, const Soft& soft, const BootId& boot,
               const PromiseCeiling& ceiling) {
  State state = state_of(synced, soft, boot);
  state.promised = promised_in_effect(synced, soft, ceiling);
  return state;
}

}  // namespace dexlock
