#include "sim/proposal_watch.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "lock/quorum.hpp"
#include "register/choose.hpp"

namespace dexlock::sim {

void ProposalWatch::on_sent(const Request& request, AttemptId attempt, Nanoseconds now) {
  if (attempt >= kFirstSideAttempt) {
    return;
  }
  if (const auto* prepare = std::get_if<Prepare>(&request);
      prepare != nullptr && prepared_ != attempt) {
    prepared_ = attempt;
    prepared_ballot_ = prepare->ballot;
    promises_.clear();
    registers_.on_prepared(prepare->ballot, process_, now);
  } else if (const auto* accept = std::get_if<Accept>(&request)) {
    on_value(*accept);
  }
}

// The first message with a value starts an operation on the register.
void ProposalWatch::on_value(const Accept& accept) {
  if (operation_ && proposed_ == accept.ballot) {
    return;
  }
  const bool prepared = prepared_ballot_ == accept.ballot;
  const Record base = prepared ? promised_base(accept.value.op) : sticky_base(accept.ballot);
  give_up();
  proposed_ = accept.ballot;
  operation_ = linearizable_.on_proposed(base, accept.value);
}

// `mine`: if it was built on a fast vote of its own, the value still has that operation.
Record ProposalWatch::promised_base(const OpId& mine) const {
  std::vector<State> promises;
  for (const auto& [_, state] : promises_) {
    promises.push_back(state);
  }
  if (promises.size() >= majority(servers_)) {
    return choose(promises, servers_, mine);
  }
  return promises.empty() ? Record{}  // planted: half of the servers suffice
                          : record_of(std::ranges::max(promises, {}, &State::accepted));
}

Record ProposalWatch::sticky_base(const Ballot& ballot) const {
  const auto at = sticky_bases_.find(ballot);
  if (at == sticky_bases_.end()) {
    return Record{};
  }
  Record most;
  std::size_t servers = 0;
  for (const auto& [_, record] : at->second) {
    const auto same = static_cast<std::size_t>(std::ranges::count_if(
        at->second, [&](const auto& other) { return other.second == record; }));
    if (same > servers) {
      servers = same;
      most = record;
    }
  }
  return most;
}

void ProposalWatch::on_heard(std::size_t server, AttemptId attempt, const Reply& reply) {
  const auto* answer = std::get_if<Answer>(&reply);
  if (answer != nullptr && answer->state.promised.round == answer->state.accepted.round + 1) {
    // It follows the value: the client's own, or one of somebody who left this ballot to its heir.
    sticky_bases_[answer->state.promised].insert_or_assign(server, record_of(answer->state));
  }
  if (answer != nullptr && attempt == prepared_ && answer->verdict == Verdict::promise) {
    promises_.try_emplace(server, answer->state);
  }
}

void ProposalWatch::on_known(const Ballot& ballot, const OpId& op, Nanoseconds now) {
  if (ballot.fast != 0) {
    linearizable_.on_fast_told(ballot, op, process_, now);
  }
  if (operation_ && ballot == proposed_) {
    linearizable_.on_told(*std::exchange(operation_, std::nullopt), process_, now);
  }
}

void ProposalWatch::on_new_session(std::string process) {
  process_ = std::move(process);
  prepared_ = 0;
  prepared_ballot_.reset();
  give_up();
}

void ProposalWatch::give_up() {
  if (const auto operation = std::exchange(operation_, std::nullopt); operation && forgets_) {
    linearizable_.on_given_up(*operation);
  }
}

}  // namespace dexlock::sim
