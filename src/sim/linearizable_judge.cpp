#include "sim/linearizable_judge.hpp"

#include "lock/record_text.hpp"

namespace dexlock::sim {

LinearizableJudge::LinearizableJudge(Findings& findings)
    : findings_(findings), check_(RegisterState{number_of(Record{}), 0}) {}

std::uint64_t LinearizableJudge::number_of(const Record& value) {
  const auto [at, fresh] = numbers_.try_emplace(record_text(value), texts_.size());
  if (fresh) {
    texts_.push_back(at->first);
  }
  return at->second;
}

std::size_t LinearizableJudge::on_proposed(const Record& base, const Record& next) {
  const Step step{number_of(base), number_of(next)};
  steps_.push_back(step);
  return check_.invoke({.reads = step.base, .writes = step.next});
}

void LinearizableJudge::on_fast_vote(const Ballot& ballot, const OpId& op, const Record& base,
                                     const Record& next) {
  const auto [at, fresh] = fast_.try_emplace({ballot, op});
  if (fresh) {
    at->second = on_proposed(base, next);
  }
}

void LinearizableJudge::on_fast_told(const Ballot& ballot, const OpId& op, const std::string& who,
                                     Nanoseconds now) {
  const auto at = fast_.find({ballot, op});
  if (at != fast_.end() && at->second) {
    on_told(*std::exchange(at->second, std::nullopt), who, now);
  }
}

void LinearizableJudge::on_told(std::size_t operation, const std::string& who, Nanoseconds now) {
  if (gave_up_) {
    return;
  }
  ++answers_;
  const std::string before = texts_[check_.possible_state().value];
  switch (check_.answer(operation)) {
    case Linearizable::yes:
      return;
    case Linearizable::gave_up:
      gave_up_ = true;
      return;
    case Linearizable::no:
      findings_.add(now, "linearizable",
                    who + " was told that it has changed " + texts_[steps_[operation].base] +
                        " to " + texts_[steps_[operation].next] +
                        ", and no order of all changes explains that; before, the value could be " +
                        before);
      gave_up_ = true;
      return;
  }
}

}  // namespace dexlock::sim
