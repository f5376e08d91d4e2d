#include "register/proposer.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "lock/invariant.hpp"
#include "lock/quorum.hpp"
#include "register/choose.hpp"

namespace dexlock {
namespace {

const Answer* answer_of(const std::optional<Reply>& reply) {
  return reply ? std::get_if<Answer>(&*reply) : nullptr;
}

bool has_verdict(const std::optional<Reply>& reply, Verdict verdict) {
  const Answer* answer = answer_of(reply);
  return answer != nullptr && answer->verdict == verdict;
}

bool is_fast_vote(const std::optional<Reply>& reply, const Fast& fast) {
  if (!has_verdict(reply, Verdict::accepted) || answer_of(reply)->state.accepted.fast == 0) {
    return false;
  }
  const Record value = record_of(answer_of(reply)->state);
  const Holder* holder = value.find(fast.asker.claim.client);
  return holder != nullptr && holder->op == fast.op;
}

}  // namespace

Proposer::Proposer(std::size_t servers, Epoch epoch, ProposerId me)
    : servers_(servers), epoch_(epoch), me_(me), replies_(servers) {
  INVARIANT(servers >= 1);
  INVARIANT(servers <= kServersMax);
}

void Proposer::saw(const State& state) {
  // Only rounds that the acceptor itself could have promised count; a liar's jump is cut to one
  // step.
  const std::uint32_t round = std::max(state.promised.round, state.accepted.round);
  round_seen_ = std::max(round_seen_, std::min(round, kRoundMax - kRoundStepMax));
}

void Proposer::start_above(std::uint32_t round) {
  round_seen_ = std::max(round_seen_, std::min(round, kRoundMax - kRoundStepMax));
}

ProposerOutput Proposer::start(Operation operation, std::optional<Sticky> sticky, Instant now) {
  INVARIANT(phase_ == Phase::idle);
  INVARIANT(operation.change != nullptr);
  operation_ = std::move(operation);
  replies_.assign(servers_, std::nullopt);
  if (sticky && operation_.intent != Intent::evict && operation_.intent != Intent::force &&
      sticky->ballot.round > round_used_) {
    ballot_ = sticky->ballot;
    round_used_ = ballot_.round;
    ++attempt_;
    return propose(sticky->base, {}, now);
  }
  if (operation_.fast) {
    INVARIANT(operation_.intent == Intent::acquire);
    INVARIANT(operation_.fast->asker.proposer == me_);
    sent_ = now;
    ++attempt_;
    phase_ = Phase::fast;
    ProposerOutput output;
    send_all(output, *operation_.fast);
    return output;
  }
  return prepare();
}

ProposerOutput Proposer::prepare() {
  round_used_ = std::max(round_seen_, round_used_) + 1;
  ballot_ = Ballot{static_cast<std::uint32_t>(epoch_.value), round_used_, me_, 0};
  ++attempt_;
  phase_ = Phase::preparing;
  replies_.assign(servers_, std::nullopt);
  ProposerOutput output;
  send_all(output, Prepare{ballot_, operation_.intent, operation_.claim, operation_.victim,
                           operation_.beat, operation_.boots});
  return output;
}

ProposerOutput Proposer::on_reply(std::size_t server, AttemptId attempt, const Reply& reply,
                                  Instant now) {
  INVARIANT(server < servers_);
  if (const auto* answer = std::get_if<Answer>(&reply)) {
    saw(answer->state);
  }
  if (phase_ == Phase::idle || attempt != attempt_ || replies_[server]) {
    return {};
  }
  replies_[server] = reply;
  switch (phase_) {
    case Phase::fast:
      return on_fast_phase();
    case Phase::preparing:
      return on_promise_phase(server, reply, now);
    case Phase::accepting:
      return on_accept_phase(server, reply);
    case Phase::idle:
      break;
  }
  return {};
}

std::size_t Proposer::answers() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      replies_, [](const auto& reply) { return answer_of(reply) != nullptr; }));
}

bool Proposer::waits_for_fast_quorum() const {
  return phase_ == Phase::fast && answers() >= majority(servers_);
}

// Chosen once a fast quorum has voted for one value at one ballot.
ProposerOutput Proposer::on_fast_phase() {
  std::vector<const State*> votes;
  std::size_t unheard = 0;
  std::size_t failed = 0;
  for (const auto& reply : replies_) {
    unheard += reply ? 0U : 1U;
    failed += reply && answer_of(reply) == nullptr ? 1U : 0U;
    if (is_fast_vote(reply, *operation_.fast)) {
      votes.push_back(&answer_of(reply)->state);
    }
  }
  const auto equal_to = [&](const State* vote) {
    return static_cast<std::size_t>(std::ranges::count_if(votes, [&](const State* other) {
      return other->accepted == vote->accepted && other->value == vote->value;
    }));
  };
  const auto most = std::ranges::max_element(votes, {}, equal_to);
  const std::size_t count = most == votes.end() ? 0 : equal_to(*most);
  if (count < fast_quorum(servers_)) {
    const bool heard = answers() >= majority(servers_) || servers_ - failed < majority(servers_);
    // The last ones may tell that of several rivals nobody has been chosen.
    const bool clear = heard && (unheard == 0 || newest_accepted().fast == 0);
    return count + unheard >= fast_quorum(servers_) || !clear ? ProposerOutput{} : settle_fast();
  }
  const Ballot& ballot = (*most)->accepted;
  Chosen chosen{
      .ballot = ballot, .value = record_of(**most), .sent = sent_, .sticky = std::nullopt};
  const Ballot next{ballot.epoch, ballot.round + 1, me_, 0};
  const auto promises = std::ranges::count_if(votes, [&](const State* vote) {
    return vote->accepted == ballot && vote->value == (*most)->value && vote->promised == next;
  });
  if (operation_.want_sticky && static_cast<std::size_t>(promises) >= majority(servers_)) {
    chosen.sticky = Sticky{next, chosen.value};
  }
  return finish(std::move(chosen));
}

Ballot Proposer::newest_accepted() const {
  Ballot newest = zero_ballot(epoch_);
  for (const auto& reply : replies_) {
    if (const Answer* answer = answer_of(reply)) {
      newest = std::max(newest, answer->state.accepted);
    }
  }
  return newest;
}

// If the newest value stands in the way, who asks decides whether that one has been chosen.
ProposerOutput Proposer::settle_fast() {
  INVARIANT(phase_ == Phase::fast);
  const bool in_the_way = std::ranges::any_of(replies_, [&](const auto& reply) {
    const Answer* answer = answer_of(reply);
    return answer != nullptr && answer->state.accepted == newest_accepted() &&
           !compatible(record_of(answer->state), operation_.claim);
  });
  return in_the_way && answers() >= majority(servers_) ? finish(refused()) : prepare();
}

// Nothing better than what has been heard can come of waiting: no majority of promises is possible,
// and no majority of answers, which would tell the rounds in use, or it has answered; or a majority
// has answered and its newest value is one the server that knows it refuses to disturb.
bool Proposer::prepare_is_hopeless() const {
  std::size_t not_promised = 0;
  std::size_t answered = 0;
  std::size_t failed = 0;
  const State* newest = nullptr;
  bool newest_refuses = false;
  for (const auto& reply : replies_) {
    if (reply && !has_verdict(reply, Verdict::promise)) {
      ++not_promised;
    }
    const Answer* answer = answer_of(reply);
    if (answer == nullptr) {
      failed += reply ? 1U : 0U;
      continue;
    }
    ++answered;
    if (newest == nullptr || answer->state.accepted >= newest->accepted) {
      newest = &answer->state;
      newest_refuses = answer->verdict == Verdict::held && newest->accepted.fast == 0;
    }
  }
  const bool heard = answered >= majority(servers_);
  const bool all_heard = heard || servers_ - failed < majority(servers_);
  return (servers_ - not_promised < majority(servers_) && all_heard) || (heard && newest_refuses);
}

ProposerOutput Proposer::on_promise_phase(std::size_t, const Reply&, Instant now) {
  std::vector<State> promises;
  for (const auto& reply : replies_) {
    if (has_verdict(reply, Verdict::promise)) {
      promises.push_back(answer_of(reply)->state);
    }
  }
  if (promises.size() >= majority(servers_)) {
    std::vector<Ticket> queue;
    for (const State& promise : promises) {
      queue.insert(queue.end(), promise.tickets.begin(), promise.tickets.end());
    }
    return propose(choose(promises, servers_, operation_.op), merge_tickets(std::move(queue)), now);
  }
  if (prepare_is_hopeless()) {
    return finish(refused());
  }
  return {};
}

ProposerOutput Proposer::propose(const Record& base, const std::vector<Ticket>& queue,
                                 Instant now) {
  Change change = operation_.change(base, queue);
  if (!change.next) {
    return finish(DeclinedBy{change.declined, base});
  }
  proposed_ = std::move(*change.next);
  next_ = std::nullopt;
  if ((operation_.want_sticky || change.heir) && ballot_.round < kRoundMax) {
    next_ = Ballot{ballot_.epoch, ballot_.round + 1, change.heir.value_or(me_), 0};
  }
  sent_ = now;
  ++attempt_;
  phase_ = Phase::accepting;
  replies_.assign(servers_, std::nullopt);
  ProposerOutput output;
  send_all(output, Accept{ballot_, proposed_, next_, operation_.open});
  return output;
}

ProposerOutput Proposer::on_accept_phase(std::size_t, const Reply&) {
  std::size_t accepted = 0;
  std::size_t refused = 0;
  std::size_t sticky = 0;
  for (const auto& reply : replies_) {
    if (has_verdict(reply, Verdict::two_values)) {
      return finish(Alarm{ballot_});
    }
    if (has_verdict(reply, Verdict::accepted)) {
      ++accepted;
      if (next_ && answer_of(reply)->state.promised == *next_) {
        ++sticky;
      }
    } else if (reply) {
      ++refused;
    }
  }
  if (accepted >= majority(servers_)) {
    Chosen chosen{.ballot = ballot_, .value = proposed_, .sent = sent_, .sticky = std::nullopt};
    if (sticky >= majority(servers_) && next_->proposer == me_) {
      chosen.sticky = Sticky{*next_, proposed_};
    }
    return finish(std::move(chosen));
  }
  if (servers_ - refused < majority(servers_)) {
    return finish(Unknown{});
  }
  return {};
}

ProposerOutput Proposer::abandon() {
  if (phase_ == Phase::idle) {
    return {};
  }
  if (phase_ == Phase::accepting || phase_ == Phase::fast) {
    return finish(Unknown{});
  }
  return finish(refused());
}

Refused Proposer::refused() const {
  return Refused{.answered = answers() >= majority(servers_),
                 .held = std::ranges::any_of(replies_, [](const auto& reply) {
                   return has_verdict(reply, Verdict::held);
                 })};
}

ProposerOutput Proposer::finish(Outcome outcome) {
  phase_ = Phase::idle;
  ProposerOutput output;
  output.done = std::move(outcome);
  return output;
}

void Proposer::send_all(ProposerOutput& output, const Request& request) {
  for (std::size_t server = 0; server < servers_; ++server) {
    output.sends.push_back(Send{server, attempt_, request});
  }
}

}  // namespace dexlock
