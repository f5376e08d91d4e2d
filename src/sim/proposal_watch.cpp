#include "sim/proposal_watch.hpp"

#include <utility>

namespace dexlock::sim {

void ProposalWatch::on_sent(const Request& request, AttemptId attempt, Nanoseconds now) {
  if (attempt >= kFirstSideAttempt) {
    return;
  }
  if (const auto* prepare = std::get_if<Prepare>(&request);
      prepare != nullptr && prepared_ != attempt) {
    prepared_ = attempt;
    prepared_ballot_ = prepare->ballot;
    best_promise_ = State{};
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
  const Record base = prepared ? record_of(best_promise_) : sticky_bases_[accept.ballot];
  if (accept.next) {
    sticky_bases_.insert_or_assign(*accept.next, accept.value);
  }
  proposed_ = accept.ballot;
  operation_ = linearizable_.on_proposed(base, accept.value);
}

void ProposalWatch::on_heard(AttemptId attempt, const Reply& reply) {
  const auto* answer = std::get_if<Answer>(&reply);
  if (answer != nullptr && answer->state.promised.round == answer->state.accepted.round + 1) {
    // Who handed the lock over may have left this ballot to its heir.
    sticky_bases_.try_emplace(answer->state.promised, record_of(answer->state));
  }
  if (answer != nullptr && attempt == prepared_ && answer->verdict == Verdict::promise &&
      answer->state.accepted >= best_promise_.accepted) {
    best_promise_ = answer->state;
  }
}

void ProposalWatch::on_known(const Ballot& ballot, Nanoseconds now) {
  if (operation_ && ballot == proposed_) {
    linearizable_.on_told(*std::exchange(operation_, std::nullopt), process_, now);
  }
}

void ProposalWatch::on_new_session(std::string process) {
  process_ = std::move(process);
  prepared_ = 0;
  prepared_ballot_.reset();
  operation_.reset();
}

}  // namespace dexlock::sim
