// Judges the lock's register by what its clients see of it: each change read one value and wrote
// another, and some were told that theirs was chosen. There must be one order of the changes that
// explains it all ("linearizable").
//
// An operation is under way from the first message with its value until its client is told that it
// was chosen; whoever is told anything else, or nothing, does not know, and its change may take
// effect at any later time. An answer "busy" rests on what some servers show and is no read of the
// register: it is not recorded. A value written back as it was is a read.
//
// Threads: none.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "lock/record.hpp"
#include "register/ballot.hpp"
#include "sim/finding.hpp"
#include "sim/linearizability.hpp"

namespace dexlock::sim {

class LinearizableJudge {
 public:
  explicit LinearizableJudge(Findings& findings);

  // A value built on `base` leaves. Returns the number of the operation.
  [[nodiscard]] std::size_t on_proposed(const Record& base, const Record& next);

  // The record of the only server begins anew, with `first`; before that it was `last`.
  void on_made(const Record& last, const Record& first, Nanoseconds now) {
    on_told(on_proposed(last, first), "whoever makes the record", now);
  }

  // A server has voted on a fast ballot for `next`, which is what `op` made of `base`.
  void on_fast_vote(const Ballot& ballot, const OpId& op, const Record& base, const Record& next);
  // Whose operation it is was told that it is chosen there; only the first time counts.
  void on_fast_told(const Ballot& ballot, const OpId& op, const std::string& who, Nanoseconds now);

  // Who proposed it was told that it is chosen.
  void on_told(std::size_t operation, const std::string& who, Nanoseconds now);

  // Nobody will be told any more what became of it.
  void on_given_up(std::size_t operation) { check_.give_up(operation); }

  [[nodiscard]] std::uint64_t answers() const { return answers_; }
  [[nodiscard]] std::uint64_t gave_up() const { return gave_up_ ? 1 : 0; }

 private:
  struct Step {
    std::uint64_t base = 0;
    std::uint64_t next = 0;
  };

  [[nodiscard]] std::uint64_t number_of(const Record& value);

  Findings& findings_;
  std::map<std::string, std::uint64_t> numbers_;  // of the values, by their texts
  std::vector<std::string> texts_;
  std::vector<Step> steps_;
  std::map<std::pair<Ballot, OpId>, std::optional<std::size_t>> fast_;  // operations; told: none
  LinearizabilityCheck check_;
  std::uint64_t answers_ = 0;
  bool gave_up_ = false;
};

}  // namespace dexlock::sim
