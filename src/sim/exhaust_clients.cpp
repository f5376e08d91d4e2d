#include "sim/exhaust_clients.hpp"

#include <algorithm>
#include <utility>

#include "lock/invariant.hpp"
#include "lock/quorum.hpp"
#include "lock/record_text.hpp"

namespace dexlock::sim {
namespace {

Claim claim_of(const ClientPlan& plan) {
  return Claim{.client = {plan.client}, .mode = plan.mode, .weight = 1, .capacity = 1};
}

}  // namespace

Terms exhaust_terms() {
  using std::chrono::milliseconds;
  return Terms{.lease = milliseconds(10'000),
               .stop = milliseconds(0),
               .claim = milliseconds(10'000),
               .drift_ppm = 0};
}

Clients::Clients(std::vector<ClientPlan> plans, std::size_t servers, Servers& requests,
                 Mistake mistake)
    : plans_(std::move(plans)), servers_(servers), requests_(requests), mistake_(mistake) {}

Proposer Clients::new_proposer(std::size_t plan) const {
  const std::size_t servers =
      mistake_ == Mistake::majority_off_by_one ? majority(servers_) - 1 : servers_;
  Proposer proposer(servers, Epoch{1}, plans_[plan].proposer);
  proposer.start_above(plans_[plan].rounds_heard_of);
  return proposer;
}

std::uint32_t Clients::fresh(std::size_t plan) {
  return keep(ClientNode{.plan = plan,
                         .proposer = new_proposer(plan),
                         .request = std::nullopt,
                         .fed = {},
                         .sticky = plans_[plan].sticky,
                         .token = plans_[plan].token,
                         .granted_at = plans_[plan].granted_at});
}

bool Clients::may_start_later(std::uint32_t client) const {
  const ClientNode& node = this->node(client);
  const auto& script = plans_[node.plan].script;
  return node.step + 1 < script.size() ||
         (node.step < script.size() && node.attempts < script[node.step].attempts);
}

bool Clients::may_start(std::uint32_t client) const {
  const ClientNode& at = node(client);
  return !at.request && at.step < plans_[at.plan].script.size();
}

bool Clients::may_evict(std::uint32_t client) const {
  const ClientNode& node = this->node(client);
  const auto& script = plans_[node.plan].script;
  for (std::size_t step = node.step; step < script.size(); ++step) {
    const bool open = step > node.step || !node.request || node.attempts < script[step].attempts;
    if (script[step].task == Task::evict && open) {
      return true;
    }
  }
  return false;
}

Task Clients::next_task(std::uint32_t client) const {
  return plan(client).script[node(client).step].task;
}

const ClientStep& Clients::start(std::uint32_t client, std::uint32_t round_seen,
                                 std::uint32_t beat) {
  return step(client, Input::start, round_seen, beat);
}

const ClientStep& Clients::feed(std::uint32_t client, std::uint32_t reply) {
  return step(client, Input::feed, reply, 0);
}

const ClientStep& Clients::abandon(std::uint32_t client) {
  return step(client, Input::abandon, 0, 0);
}

const ClientStep& Clients::settle_fast(std::uint32_t client) {
  return step(client, Input::settle_fast, 0, 0);
}

std::uint32_t Clients::holding(std::uint32_t client, FencingToken token, const Ballot& at,
                               std::optional<Sticky> sticky) {
  ClientNode node = this->node(client);
  node.sticky = std::move(sticky);
  node.token = token;
  node.granted_at = at;
  return keep(std::move(node));
}

const ClientStep& Clients::step(std::uint32_t client, Input input, std::uint32_t first,
                                std::uint32_t second) {
  const std::string key = std::to_string(client) + ' ' + std::to_string(static_cast<int>(input)) +
                          ' ' + std::to_string(first) + ' ' + std::to_string(second);
  if (const auto known = steps_.find(key); known != steps_.end()) {
    return known->second;
  }
  Stepped stepped = compute(nodes_.at(client).one, input, first, second);
  if (nodes_.at(client).other) {
    Stepped twin = compute(*nodes_.at(client).other, input, first, second);
    INVARIANT(key_of(twin.node) == key_of(stepped.node));
    INVARIANT(twin.step.request == stepped.step.request);
    INVARIANT(twin.step.token == stepped.step.token);
    stepped.step.client = keep(std::move(twin.node));
  }
  stepped.step.client = keep(std::move(stepped.node));
  return steps_.emplace(key, std::move(stepped.step)).first->second;
}

std::string Clients::key_of(const ClientNode& node) const {
  std::string key = std::to_string(node.plan) + ' ' + std::to_string(node.step) + ' ' +
                    std::to_string(node.attempts) + ' ' +
                    std::to_string(node.proposer.round_seen()) + ' ' +
                    std::to_string(node.round_used) + ' ' + std::to_string(node.token.value) + ' ' +
                    ballot_text(node.granted_at) + (node.proposer.idle() ? " i" : " b");
  if (node.request) {
    key += " r" + std::to_string(*node.request);
    for (const std::uint32_t reply : node.fed) {
      key += ' ' + std::to_string(reply);
    }
  }
  if (node.sticky) {
    key += " s" + ballot_text(node.sticky->ballot) + ' ' + record_text(node.sticky->base);
  }
  return key;
}

std::uint32_t Clients::keep(ClientNode node) {
  const std::string key = key_of(node);
  const std::size_t before = nodes_.size();
  Kept kept{.one = node, .other = nullptr};
  const std::uint32_t number = nodes_.add(key, std::move(kept));
  if (nodes_.size() == before && !nodes_.at(number).other) {
    nodes_.at(number).other = std::make_unique<ClientNode>(std::move(node));
  }
  return number;
}

OpId Clients::op_of(const ClientNode& node) const {
  return OpId{plans_[node.plan].name + std::to_string(node.step + 1)};
}

Operation Clients::operation(const ClientNode& node, std::uint32_t beat) const {
  const ClientPlan& plan = plans_[node.plan];
  const AcquireSpec spec{.claim = claim_of(plan),
                         .op = op_of(node),
                         .epoch = Epoch{1},
                         .terms = exhaust_terms(),
                         .who = ""};
  Operation operation{
      .intent = Intent::plain, .claim = spec.claim, .want_sticky = plan.want_sticky, .op = spec.op};
  switch (plan.script[node.step].task) {
    case Task::acquire:
      operation.intent = Intent::acquire;
      operation.change = [spec](const Record& base, const auto&) { return acquire(base, spec); };
      if (plan.fast && node.attempts > 1) {
        operation.intent = Intent::plain;  // to decide among rivals
      } else if (plan.fast) {
        operation.fast = Fast{.asker = {.claim = spec.claim,
                                        .terms = spec.terms,
                                        .proposer = plan.proposer,
                                        .who = spec.who},
                              .op = spec.op};
      }
      break;
    case Task::evict:
      operation.intent = Intent::evict;
      operation.victim = plan.victim.token;
      operation.beat = beat;
      operation.change = [spec, victim = plan.victim](const Record& base, const auto&) {
        return evict(base, victim, spec);
      };
      break;
    case Task::confirm:
      operation.change = [client = spec.claim.client, token = node.token](const Record& base,
                                                                          const auto&) {
        return confirm(base, client, token);
      };
      break;
    case Task::plain_release:
      operation.want_sticky = false;
      if (mistake_ != Mistake::saved_second_value) {
        operation.change = [token = node.token](const Record& base, const auto&) {
          return plain_release(base, token);
        };
        break;
      }
      [[fallthrough]];
    case Task::release:
    case Task::hand_over:
      operation.open = true;
      operation.change = [give = ReleaseSpec{.client = spec.claim.client,
                                             .token = std::nullopt,
                                             .epoch = Epoch{1},
                                             .op = OpId{op_of(node).text + plan.name},
                                             .waiting = plan.waiting}](
                             const Record& base, const auto&) { return release(base, give); };
      break;
  }
  return operation;
}

Clients::Stepped Clients::compute(const ClientNode& from, Input input, std::uint32_t first,
                                  std::uint32_t second) {
  Stepped out{.node = from, .step = {}};
  ClientNode& node = out.node;
  if (input == Input::start) {
    node.proposer.start_above(first);
    start_task(out, second);
    return out;
  }
  if (input == Input::abandon) {
    take(out, node.proposer.abandon());
    return out;
  }
  if (input == Input::settle_fast) {
    take(out, node.proposer.settle_fast());
    return out;
  }
  const Answer& answer = requests_.reply_of(first);
  const Reply reply = answer;
  const bool fast_vote = answer.verdict == Verdict::accepted && answer.state.accepted.fast != 0;
  const bool twice =
      mistake_ == Mistake::ack_counted_twice || (mistake_ == Mistake::fast_majority && fast_vote);
  const std::size_t slots = twice ? 2 : 1;
  for (std::size_t i = 0; i < slots && !out.step.left; ++i) {
    const std::size_t slot = std::min(node.fed.size(), servers_ - 1);
    node.fed.push_back(first);
    take(out, node.proposer.on_reply(slot, node.proposer.last_attempt(), reply, {}));
  }
  if (mistake_ != Mistake::fast_votes_not_counted) {  // else the first one heard is built on
    std::ranges::sort(node.fed);
  }
  return out;
}

void Clients::start_task(Stepped& out, std::uint32_t beat) {
  ClientNode& node = out.node;
  ++node.attempts;
  Operation wanted = operation(node, beat);
  const Task task = plans_[node.plan].script[node.step].task;
  if (task == Task::release || task == Task::plain_release || task == Task::hand_over) {
    if (task != Task::plain_release || mistake_ == Mistake::saved_second_value) {
      node.token = {};  // belief ends before anything leaves
    }
  }
  std::optional<Sticky> sticky = std::exchange(node.sticky, std::nullopt);
  const bool usable = sticky && sticky->ballot.round > node.round_used;
  if (usable && mistake_ == Mistake::sticky_eviction) {
    wanted.intent = Intent::plain;
  }
  if (usable && wanted.intent != Intent::evict) {
    node.round_used = sticky->ballot.round;
  } else if (!wanted.fast) {
    node.round_used = std::max(node.round_used, node.proposer.round_seen()) + 1;
  }
  if (mistake_ == Mistake::ballot_reused) {
    node.sticky = sticky;
  }
  take(out, node.proposer.start(std::move(wanted), std::move(sticky), {}));
}

void Clients::take(Stepped& out, ProposerOutput produced) {
  if (!produced.sends.empty()) {
    const Request& request = produced.sends.front().request;
    if (const auto* prepare = std::get_if<Prepare>(&request)) {
      out.node.round_used = prepare->ballot.round;  // also after a fast ballot
    }
    out.node.request = requests_.request(request);
    out.node.fed.clear();
    out.step.request = out.node.request;
    out.step.left = true;
  }
  if (produced.done) {
    out.node.request.reset();
    out.node.fed.clear();
    out.step.request.reset();
    out.step.left = true;
    on_done(out, *produced.done);
  }
}

void Clients::on_done(Stepped& out, const Outcome& outcome) {
  ClientNode& node = out.node;
  const ScriptStep& step = plans_[node.plan].script[node.step];
  if (std::holds_alternative<Alarm>(outcome)) {
    out.step.finding =
        "ballots: " + plans_[node.plan].name + " was told that its ballot carries two values";
    return;
  }
  const auto* chosen = std::get_if<Chosen>(&outcome);
  if (chosen != nullptr) {
    on_chosen(out, *chosen);
  }
  const bool over = chosen != nullptr || std::holds_alternative<DeclinedBy>(outcome);
  if (over || node.attempts >= step.attempts) {
    ++node.step;
    node.attempts = 0;
  }
  if (chosen == nullptr && mistake_ == Mistake::ballot_reused) {
    // As a process that goes on from a copy of its memory: the promise is there once more.
    node.proposer = new_proposer(node.plan);
    node.round_used = 0;
  }
}

void Clients::on_chosen(Stepped& out, const Chosen& chosen) {
  ClientNode& node = out.node;
  const ClientPlan& plan = plans_[node.plan];
  const Task task = plan.script[node.step].task;
  node.sticky = chosen.sticky;
  if (!chosen.sticky && mistake_ == Mistake::sticky_minority && plan.want_sticky) {
    node.sticky = Sticky{Ballot{1, chosen.ballot.round + 1, plan.proposer, 0}, chosen.value};
  }
  if (task == Task::hand_over && mistake_ == Mistake::heirs_ballot_used) {
    node.sticky =
        Sticky{Ballot{1, chosen.ballot.round + 1, plan.waiting.front().proposer, 0}, chosen.value};
  }
  const Holder* mine = chosen.value.find(ClientId{plan.client});
  if (task == Task::acquire || task == Task::evict || task == Task::confirm) {
    if (mine != nullptr) {
      node.token = mine->token;
      node.granted_at = chosen.ballot;
      out.step.told = Told::granted;
      out.step.token = mine->token;
    }
    return;
  }
  node.token = {};
  out.step.told = Told::released;
}

}  // namespace dexlock::sim
