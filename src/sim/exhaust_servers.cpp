#include "sim/exhaust_servers.hpp"

#include <algorithm>

#include "lock/record_text.hpp"
#include "wire/durable_text.hpp"

namespace dexlock::sim {
namespace {

std::string key_of(const Prepare& p) {
  std::string key = "p " + ballot_text(p.ballot) + ' ' +
                    std::to_string(static_cast<int>(p.intent)) + ' ' + p.claim.client.text + ' ' +
                    std::to_string(static_cast<int>(p.claim.mode)) + ' ' +
                    std::to_string(p.victim.value) + ' ' + std::to_string(p.beat);
  for (const BootId& boot : p.boots) {
    key += ' ' + boot.text;
  }
  return key;
}

std::string key_of(const Accept& a) {
  return "a " + ballot_text(a.ballot) + ' ' + record_text(a.value) + ' ' +
         (a.next ? ballot_text(*a.next) : "-") + (a.open ? " o" : "");
}

std::string key_of(const Heartbeat& h) {
  return "h " + std::to_string(h.token.value) + ' ' + std::to_string(h.beat) + ' ' +
         ballot_text(h.granted);
}

std::string key_of(const Read&) { return "r"; }
std::string key_of(const Post& post) { return "t " + ticket_text(post.ticket); }

std::string key_of(const Fast& fast) { return "f " + fast.op.text + ' ' + ticket_text(fast.asker); }

std::string votes_key(const std::map<Ballot, Record>& votes) {
  std::string key;
  for (const auto& [ballot, record] : votes) {
    key += ballot_text(ballot) + ' ' + record_text(record) + '\n';
  }
  return key;
}

// Proposers look at ballots and values only; heartbeats and boots have their own ways.
Answer for_proposer(Answer answer) {
  answer.state.fence = Ballot{};
  answer.state.open = true;
  answer.state.beats.clear();
  answer.state.boot = BootId{};
  answer.state.tickets.clear();
  return answer;
}

}  // namespace

BootId boot_of(std::uint32_t boots) { return BootId{"b" + std::to_string(boots)}; }

std::uint32_t Servers::keep(ServerNode node) {
  const std::string votes = votes_key(node.votes);
  node.vote_list = vote_lists_.add(votes, node.votes);
  std::string key = durable_text(node.durable) + ' ' + soft_text(node.soft) + ' ' +
                    std::to_string(node.boots) + ' ' + std::to_string(node.vote_list) + ' ' +
                    ballot_text(node.prepared) + (kind_.files ? ' ' + files_key(node.files) : "") +
                    (node.lost ? " lost" : "") + (node.clean ? "" : " unsynced") +
                    (node.on_disk ? ' ' + durable_text(*node.on_disk) : "");
  for (const auto& [token, beat] : node.acks) {
    key += ' ' + std::to_string(token.value) + '#' + std::to_string(beat);
  }
  return nodes_.add(key, std::move(node));
}

std::uint32_t Servers::fresh() { return keep(ServerNode{.durable = absent_record(Epoch{1})}); }

std::uint32_t Servers::request(const Request& request) {
  return requests_.add(std::visit([](const auto& r) { return key_of(r); }, request), request);
}

const ServerStep& Servers::serve(std::uint32_t server, std::uint32_t request, bool cut) {
  const std::uint64_t key = (pair_key(server, request) << 1U) | (cut ? 1U : 0U);
  if (const auto known = steps_.find(key); known != steps_.end()) {
    return known->second;
  }
  const ServerStep step = compute(server, request, cut);
  return steps_.emplace(key, step).first->second;
}

std::optional<Answer> Servers::answer(ServerNode& node, const Request& asked, bool cut) const {
  if (kind_.files) {
    FilesServed served =
        serve_files(std::move(node.files), asked, boot_of(node.boots), cut, mistake_);
    node.files = std::move(served.store);
    return served.answer;
  }
  const Step step =
      kind_.unsynced_rounds ? apply_unsynced(node, asked) : apply_mistaken(node, asked);
  Answer answer{step.verdict,
                state_of(node.durable, node.soft, boot_of(node.boots), ceiling(node, asked))};
  if (mistake_ == Mistake::fast_votes_not_counted && step.verdict == Verdict::promise) {
    answer.state.copied = answer.state.accepted.fast != 0;
  }
  return answer;
}

ServerStep Servers::compute(std::uint32_t server, std::uint32_t request, bool cut) {
  ServerNode node = nodes_.at(server);
  const Request& asked = requests_.at(request);
  const std::optional<Answer> told = answer(node, asked, cut);
  ServerStep out{.silent = !told};
  if (told) {
    const Answer answer = for_proposer(*told);
    out.verdict = answer.verdict;
    out.reply = replies_.add(std::to_string(static_cast<int>(answer.verdict)) + ' ' +
                                 durable_text(Durable{.promised = answer.state.promised,
                                                      .fence = answer.state.fence,
                                                      .accepted = answer.state.accepted,
                                                      .copied = answer.state.copied,
                                                      .value = answer.state.value}),
                             answer);
    const auto* accept = std::get_if<Accept>(&asked);
    const auto* beat = std::get_if<Heartbeat>(&asked);
    const bool fast = std::holds_alternative<Fast>(asked) && out.verdict == Verdict::accepted &&
                      told->state.value;
    if (accept != nullptr && out.verdict == Verdict::accepted) {
      out.voted = node.votes.insert_or_assign(accept->ballot, accept->value).second;
    } else if (fast) {
      out.voted = node.votes.insert_or_assign(told->state.accepted, *told->state.value).second;
    } else if (beat != nullptr && out.verdict == Verdict::beating) {
      out.acknowledged = node.acks.emplace(beat->token, beat->beat).second;
    }
  }
  out.server = keep(std::move(node));
  out.changed = out.server != server;
  return out;
}

PromiseCeiling Servers::ceiling(const ServerNode& node, const Request& request) const {
  const bool overlooked = mistake_ == Mistake::lost_promises_accepted_below &&
                          !std::holds_alternative<Prepare>(request);
  PromiseCeiling ceiling{.lost = node.lost && !overlooked,
                         .rounds = kind_.unsynced_rounds.value_or(0)};
  if (mistake_ == Mistake::far_promise_unsynced && !node.lost) {
    ceiling.rounds += kUnsyncedRounds;
  }
  return ceiling;
}

Step Servers::apply_unsynced(ServerNode& node, const Request& request) const {
  const Durable before = node.durable;
  PromiseCeiling here = ceiling(node, request);
  const CeilingStep step = apply(node.durable, node.soft, boot_of(node.boots), request, here);
  const auto* prepare = std::get_if<Prepare>(&request);
  if (step.durable_changed) {
    node.lost = false;
    node.on_disk.reset();
    if (mistake_ == Mistake::evict_promise_unsynced && prepare != nullptr &&
        prepare->intent == Intent::evict) {
      node.on_disk = before;
    }
  }
  if (step.unsynced && mistake_ != Mistake::clean_mark_stays) {
    node.clean = false;
  }
  return step;
}

Step Servers::apply_mistaken(ServerNode& node, Request request) const {
  const Durable before = node.durable;
  auto* prepare = std::get_if<Prepare>(&request);
  if (prepare != nullptr && mistake_ == Mistake::boot_ignored) {
    prepare->boots.push_back(boot_of(node.boots));
  }
  if (prepare != nullptr && mistake_ == Mistake::beat_ignored) {
    prepare->beat = UINT32_MAX;
  }
  const bool rash =
      mistake_ == Mistake::fast_in_spite_of_promise && std::holds_alternative<Fast>(request);
  if (rash) {
    node.durable.promised = node.durable.accepted;
  }
  if (mistake_ == Mistake::promise_not_raised) {
    node.durable.promised = std::max(node.prepared, node.durable.fence);
    if (node.durable.accepted > node.durable.promised) {
      node.durable.accepted = zero_ballot(Epoch{1});
    }
  }
  Step step = apply(node.durable, node.soft, boot_of(node.boots), request);
  if (mistake_ == Mistake::promise_not_raised) {
    if (step.verdict == Verdict::promise) {
      node.prepared = prepare->ballot;
    }
    if (!std::holds_alternative<Accept>(request) || step.verdict != Verdict::accepted) {
      node.durable.accepted = before.accepted;
      node.durable.promised = std::max(node.durable.promised, before.accepted);
    }
  }
  if (rash) {
    node.durable.promised = std::max(node.durable.promised, before.promised);
  }
  if (mistake_ == Mistake::promise_not_kept && step.verdict == Verdict::promise) {
    node.durable.promised = before.promised;
    node.durable.fence = before.fence;
  }
  if (mistake_ == Mistake::fence_missing && step.verdict == Verdict::promise) {
    node.durable.fence = before.fence;
  }
  if (mistake_ == Mistake::gone_acknowledged && step.verdict == Verdict::gone) {
    step.verdict = Verdict::beating;
  }
  return step;
}

void Servers::lose_unsynced(ServerNode& node, Restart how) const {
  if (how == Restart::clean_stop) {
    if (mistake_ != Mistake::clean_stop_unsynced) {
      node.durable.promised = promised_in_effect(node.durable, node.soft, {});
    }
    node.clean = true;
  }
  if (node.on_disk) {
    node.durable = *std::exchange(node.on_disk, std::nullopt);
  }
  const bool absent = node.durable == absent_record(Epoch{1});
  const bool overlooked = mistake_ == Mistake::lost_promises_forgotten ||
                          (mistake_ == Mistake::lost_promises_of_absent_forgotten && absent);
  node.lost = node.lost || (!node.clean && !overlooked);
  node.clean = true;
}

std::uint32_t Servers::restarted(std::uint32_t server, Restart how) {
  ServerNode node = nodes_.at(server);
  lose_unsynced(node, how);
  node.soft = Soft{};
  node.files.shown = node.files.synced;
  node.boots += mistake_ == Mistake::boot_kept ? 0 : 1;
  const Ballot zero = zero_ballot(Epoch{1});
  if (mistake_ == Mistake::fence_in_memory) {
    node.durable.fence = zero;
  } else if (mistake_ == Mistake::promise_in_memory) {
    node.durable.promised = std::max(node.durable.accepted, node.durable.fence);
  } else if (mistake_ == Mistake::vote_forgotten) {
    node.durable = absent_record(Epoch{1});
  }
  return keep(std::move(node));
}

}  // namespace dexlock::sim
