// Judges the order of the queue ("queue"): in a world without faults nobody is granted an exclusive
// lock while somebody senior waits whose ticket is complete, that is, has stood on a majority of
// the servers since before the view by which the grant was decided. With faults the order may
// suffer, and this judge is not asked.
//
// How old is that view? Where promises are kept for the next ballot, nobody is asked who waits: as
// old as what the decider was shown last, at most `lag` before the grant was proposed. Where none
// are kept (strict), the first value that lists a grant was built on the answers to its own
// prepare. All of them were given after that was sent, so of a ticket that was complete by then at
// least one tells: no lag is allowed. A value sent without a prepare is judged as if it had been
// asked for when it was sent, a grant on a fast ballot when the first server voted for it. A grant
// that is proposed again was decided when it was first.
//
// Threads: none.
#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "lock/record.hpp"
#include "lock/ticket.hpp"
#include "register/ballot.hpp"
#include "sim/finding.hpp"

namespace dexlock::sim {

class QueueJudge {
 public:
  struct Rules {
    bool asked = false;   // else nothing is found
    bool strict = false;  // every grant is decided on a prepare of its own
    Nanoseconds lag{};    // else: how old a view may be by which one is decided
  };

  QueueJudge(std::size_t servers, const Rules& rules, Findings& findings)
      : servers_(servers), rules_(rules), findings_(findings) {}

  // Somebody sent this: a prepare, or a value.
  void on_prepared(const Ballot& ballot, Nanoseconds now);
  void on_proposed(const Ballot& ballot, const Record& value, Nanoseconds now);

  void on_posted(std::size_t server, const Ticket& ticket, bool remove, Nanoseconds now);

  // A server has accepted `value`: its grants were decided by now.
  void on_vote(const Record& value, Nanoseconds now);

  // `value` was chosen.
  void on_chosen(const Record& value, Nanoseconds now);

  [[nodiscard]] std::uint64_t inherited() const { return inherited_; }

 private:
  struct Waiter {
    Ticket ticket;
    std::set<std::size_t> servers;
    Nanoseconds complete{};
    bool gone = false;
  };

  // A ticket that came to a server behind its own removal; links of the commands keep order.
  struct Ghost {
    Ticket ticket;
    Nanoseconds until = Nanoseconds::max();  // a view may show it
  };

  // The moment before which a ticket must have been complete to count against this grant.
  [[nodiscard]] Nanoseconds view_of(const Holder& holder, Nanoseconds now) const;

  std::size_t servers_;
  Rules rules_;
  Findings& findings_;
  std::map<Ballot, Nanoseconds> prepared_;
  std::map<GrantId, Nanoseconds> decided_;  // by a view that began then; newer than newest_
  std::map<ClientId, Waiter> waiters_;
  std::map<ClientId, std::map<std::size_t, Ghost>> ghosts_;  // by server
  std::set<ClientId> holders_;                               // as chosen last
  FencingToken newest_;
  std::uint64_t inherited_ = 0;
};

}  // namespace dexlock::sim
