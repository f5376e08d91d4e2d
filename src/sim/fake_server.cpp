#include "sim/fake_server.hpp"

#include <utility>

#include "lock/quorum.hpp"
#include "sim/draw.hpp"

namespace dexlock::sim {
namespace {

constexpr std::uint32_t kPlantedNow = 250'000;

}  // namespace

FakeServer::FakeServer(std::size_t index, Surroundings& around)
    : index_(index),
      around_(around),
      durable_(absent_record(Epoch{1})),
      boot_{"s" + std::to_string(index) + "b0"} {}

std::optional<Reply> FakeServer::serve(const Request& request) {
  if (damaged_) {
    return Fault{FaultKind::corrupt, "server " + std::to_string(index_) + ": damaged record"};
  }
  const bool fails = full_ || happens(around_.random, around_.mix.write_error);
  const bool crashes = !around_.healed && happens(around_.random, around_.mix.crash_in_write);
  const bool keeps = crashes && happens(around_.random, 500'000);
  if (!fails && !crashes) {
    const Step step = apply_planted(request);
    judge(request, step);
    return answer_for(step.verdict);
  }
  const Durable durable_before = durable_;
  const bool lost_before = lost_;
  Soft soft_before = soft_;
  const Step step = apply_planted(request);
  if (crashes) {
    if (!keeps) {
      durable_ = durable_before;
      lost_ = lost_before;
    } else {
      judge(request, step);
    }
    if (!keeps && step.durable_changed) {
      tear_record();
    }
    crash();
    return std::nullopt;
  }
  if (!step.durable_changed) {
    judge(request, step);
    return answer_for(step.verdict);
  }
  around_.counts.add(Seen::writes_failed);
  durable_ = durable_before;
  lost_ = lost_before;
  soft_ = std::move(soft_before);
  if (around_.planted(Plant::failed_write_acknowledged)) {
    judge(request, step);
    Answer answer = answer_for(step.verdict);
    if (const auto* accept = std::get_if<Accept>(&request)) {
      answer.state.accepted = accept->ballot;
      answer.state.value = accept->value;
    }
    return answer;
  }
  return Fault{FaultKind::full, "server " + std::to_string(index_) + ": cannot write"};
}

PromiseCeiling FakeServer::ceiling(const Request& request) const {
  const bool overlooked = around_.planted(Plant::lost_promises_accepted_below) &&
                          !std::holds_alternative<Prepare>(request);
  return {.lost = lost_ && !overlooked};
}

Step FakeServer::apply_here(const Request& request) {
  if (!around_.mix.unsynced_promises) {
    return apply(durable_, soft_, boot_, request);
  }
  PromiseCeiling here = ceiling(request);
  const CeilingStep step = apply(durable_, soft_, boot_, request, here);
  lost_ = lost_ && !step.durable_changed;
  unsynced_ = unsynced_ || step.unsynced;
  around_.counts.add(Seen::promises_unsynced, step.unsynced ? 1 : 0);
  return step;
}

Step FakeServer::apply_planted(const Request& request) {
  if (around_.plant == Plant::none) {
    return apply_here(request);
  }
  Request asked = request;
  const Durable before = durable_;
  if (auto* prepare = std::get_if<Prepare>(&asked); prepare && prepare->intent == Intent::evict) {
    if (around_.planted(Plant::evict_unchecked)) {
      prepare->intent = Intent::force;
    } else if (around_.planted(Plant::evict_any_boot)) {
      prepare->boots.push_back(boot_);
    }
  }
  const bool unfenced =
      around_.planted(Plant::fence_not_checked) && std::holds_alternative<Heartbeat>(asked);
  if (unfenced) {
    durable_.fence = zero_ballot(Epoch{1});
  }
  const bool rash =
      around_.planted(Plant::fast_in_spite_of_promise) && std::holds_alternative<Fast>(asked);
  if (rash) {
    durable_.promised = durable_.accepted;
  }
  Step step = apply_here(asked);
  durable_.promised = rash ? std::max(before.promised, durable_.promised) : durable_.promised;
  if (unfenced || around_.planted(Plant::fence_missing)) {
    durable_.fence = before.fence;
  }
  if (around_.planted(Plant::gone_acknowledged) && step.verdict == Verdict::gone) {
    step.verdict = Verdict::beating;
  }
  if (step.durable_changed) {
    remember_unsynced(before);
  }
  return step;
}

void FakeServer::remember_unsynced(const Durable& before) {
  if (around_.planted(Plant::sync_skipped)) {
    if (happens(around_.random, 500'000)) {
      on_disk_.reset();
    } else if (!on_disk_) {
      on_disk_ = before;
    }
  }
  if (around_.planted(Plant::evict_promise_unsynced)) {
    const bool fenced = durable_.fence != before.fence;
    on_disk_ = fenced ? std::optional(before) : std::nullopt;
  }
  if (around_.planted(Plant::server_rolled_back) && happens(around_.random, kPlantedNow)) {
    old_copy_ = before;
  }
}

void FakeServer::judge(const Request& request, const Step& step) {
  Durable shown = durable_;
  shown.promised = promised_in_effect(durable_, soft_, {.lost = lost_});
  around_.registers.on_durable(index_, shown, around_.now());
  if (const auto* accept = std::get_if<Accept>(&request)) {
    around_.counts.add(Seen::accepts);
    if (step.verdict == Verdict::accepted) {
      around_.queue.on_vote(accept->value, around_.now());
    }
    if (step.verdict == Verdict::accepted &&
        around_.registers.on_vote(index_, accept->ballot, accept->value, around_.now())) {
      around_.evictions.on_chosen(accept->ballot, accept->value, around_.now());
      around_.queue.on_chosen(accept->value, around_.now());
    }
  } else if (const auto* fast = std::get_if<Fast>(&request)) {
    judge_fast(*fast, step);
  } else if (const auto* post = std::get_if<Post>(&request)) {
    around_.queue.on_posted(index_, post->ticket, post->remove, around_.now());
  } else if (const auto* beat = std::get_if<Heartbeat>(&request)) {
    around_.counts.add(step.verdict == Verdict::beating  ? Seen::beats_taken
                       : step.verdict == Verdict::fenced ? Seen::beats_fenced
                       : step.verdict == Verdict::behind ? Seen::beats_behind
                                                         : Seen::beats_gone);
    if (step.verdict == Verdict::beating) {
      around_.evictions.on_beat_acknowledged(index_, beat->token, beat->beat, around_.now());
    }
  } else if (step.verdict == Verdict::promise) {
    around_.counts.add(Seen::promises);
  } else if (step.verdict == Verdict::alive) {
    around_.counts.add(Seen::victims_alive);
  } else if (step.verdict == Verdict::two_values) {
    around_.findings.add(around_.now(), "ballots", "two values were proposed under one ballot");
  }
}

// The first vote for a value is when its change may first take effect.
void FakeServer::judge_fast(const Fast& fast, const Step& step) {
  if (step.verdict != Verdict::accepted || !step.durable_changed) {
    return;
  }
  around_.counts.add(Seen::fast_votes);
  const Ballot& ballot = durable_.accepted;
  Ballot parent = ballot;
  parent.fast = 0;
  around_.linearizable.on_fast_vote(ballot, fast.op, around_.registers.value_at(parent),
                                    *durable_.value);
  around_.queue.on_vote(*durable_.value, around_.now());
  if (around_.registers.on_vote(index_, ballot, *durable_.value, around_.now())) {
    around_.counts.add(Seen::fast_chosen);
    around_.evictions.on_chosen(ballot, *durable_.value, around_.now());
    around_.queue.on_chosen(*durable_.value, around_.now());
  }
}

void FakeServer::tear_record() {
  const std::size_t may_be_damaged = around_.mix.servers - majority(around_.mix.servers);
  if (around_.damaged_servers >= may_be_damaged ||
      !happens(around_.random, around_.mix.tear_record)) {
    return;
  }
  around_.counts.add(Seen::records_torn);
  if (around_.planted(Plant::torn_record_blank)) {
    durable_ = absent_record(Epoch{1});
    return;
  }
  ++around_.damaged_servers;
  damaged_ = true;
  gone_ = happens(around_.random, 500'000);
}

Answer FakeServer::answer_for(Verdict verdict) const {
  Answer answer{verdict, state_of(durable_, soft_, boot_, {.lost = lost_})};
  if (around_.planted(Plant::fast_votes_not_counted) && verdict == Verdict::promise) {
    answer.state.copied = answer.state.accepted.fast != 0;
  }
  if (around_.planted(Plant::queue_jumped)) {
    for (Ticket& ticket : answer.state.tickets) {
      ticket.number = kRoundMax - ticket.number;
    }
  }
  if (around_.planted(Plant::terms_shortened) && verdict != Verdict::promise &&
      verdict != Verdict::accepted && answer.state.value) {
    for (Holder& holder : answer.state.value->holders) {
      holder.terms.lease /= 2;
      holder.terms.stop /= 2;
    }
  }
  return answer;
}

void FakeServer::crash() {
  soft_ = Soft{};
  if (!around_.planted(Plant::boot_kept)) {
    boot_ = BootId{"s" + std::to_string(index_) + "b" + std::to_string(++boots_)};
  }
  if (on_disk_) {
    durable_ = *std::exchange(on_disk_, std::nullopt);
  }
  if (std::exchange(unsynced_, false) && !around_.planted(Plant::lost_promises_forgotten)) {
    lost_ = true;
    around_.counts.add(Seen::promises_lost);
  }
  switch (around_.plant) {
    case Plant::promise_in_memory:
      durable_.promised = std::max(durable_.accepted, durable_.fence);
      break;
    case Plant::fence_in_memory:
      durable_.fence = zero_ballot(Epoch{1});
      break;
    case Plant::server_wiped:
      if (happens(around_.random, kPlantedNow)) {
        durable_ = absent_record(Epoch{1});
      }
      break;
    case Plant::server_rolled_back:
      if (old_copy_) {
        durable_ = *old_copy_;
      }
      break;
    default:
      break;
  }
}

}  // namespace dexlock::sim
