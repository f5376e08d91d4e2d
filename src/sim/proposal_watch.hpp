// Follows one client's proposals by the messages that its processes send and hear, for the judges
// of the register: what each value is built on, and which the client knows to be chosen.
//
// Threads: none.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "register/proposer.hpp"
#include "sim/linearizable_judge.hpp"
#include "sim/register_judge.hpp"

namespace dexlock::sim {

class ProposalWatch {
 public:
  struct Rules {
    std::size_t servers = 1;
    bool forgets = false;  // what became of proposals that were given up is one and the same
  };

  ProposalWatch(const Rules& rules, RegisterJudge& registers, LinearizableJudge& linearizable)
      : servers_(rules.servers),
        forgets_(rules.forgets),
        registers_(registers),
        linearizable_(linearizable) {}

  // Attempts from here on are not a proposer's.
  static constexpr AttemptId kFirstSideAttempt = 0x40000000;

  void on_sent(const Request& request, AttemptId attempt, Nanoseconds now);
  void on_heard(std::size_t server, AttemptId attempt, const Reply& reply);

  // The process knows that what it proposed at `ballot` is chosen; `op`: where that is a fast one.
  void on_known(const Ballot& ballot, const OpId& op, Nanoseconds now);

  // Another process, or another session in it, begins.
  void on_new_session(std::string process);

 private:
  void on_value(const Accept& accept);
  [[nodiscard]] Record promised_base(const OpId& mine) const;
  [[nodiscard]] Record sticky_base(const Ballot& ballot) const;

  void give_up();

  std::size_t servers_;
  bool forgets_;
  RegisterJudge& registers_;
  LinearizableJudge& linearizable_;
  std::string process_;
  AttemptId prepared_ = 0;
  std::optional<Ballot> prepared_ballot_;
  std::map<std::size_t, State> promises_;  // by server
  // What each server showed together with its promise for a ballot that follows its value. Of
  // earlier processes, too: the promise can be saved. Two values may lead to one ballot, the
  // client's own and one that hands over to it; a majority shows at most one of them.
  std::map<Ballot, std::map<std::size_t, Record>> sticky_bases_;
  Ballot proposed_;
  std::optional<std::size_t> operation_;  // the proposal under way, for the judge
};

}  // namespace dexlock::sim
