// Reads the record of a lock for somebody who has no part in it. What a majority shows at one
// ballot is chosen, and nothing newer was chosen before it was asked. Where no majority agrees, the
// record is written back as it is, and what a majority then has is the answer.
//
// Invariants:  an answer that a majority does not have is never given: the next reader could miss
//              it.
// Threads:     none; the owner serialises calls.
// Never does:  I/O, clock reads, waiting: who has waited long enough for the slow calls settle().
#pragma once

#include <optional>
#include <vector>

#include "register/proposer.hpp"

namespace dexlock {

struct ReadingOutput {
  std::vector<Send> sends;
  std::optional<Record> record;
  bool failed = false;  // no majority, or another was faster: look again, later
};

class Reading {
 public:
  Reading(std::size_t servers, Epoch epoch, ProposerId me);

  // Requires: not looking.
  [[nodiscard]] ReadingOutput look();

  // Strays and repeats are legal input.
  [[nodiscard]] ReadingOutput on_reply(std::size_t server, AttemptId attempt, const Reply& reply,
                                       Instant now);

  // From here on a majority of answers is enough, whether they agree or not.
  [[nodiscard]] ReadingOutput settle(Instant now);

 private:
  [[nodiscard]] ReadingOutput decide(Instant now);
  [[nodiscard]] ReadingOutput pass_on(ProposerOutput produced);
  [[nodiscard]] std::optional<Record> agreed() const;

  Proposer proposer_;
  AttemptId attempt_;
  bool looking_ = false;
  bool settled_ = false;
  std::vector<std::optional<Reply>> replies_;  // to the present look
};

}  // namespace dexlock
