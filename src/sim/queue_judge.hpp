// Judges the order of the queue ("queue"): in a world without faults nobody is granted an exclusive
// lock while somebody senior waits whose ticket has stood on a majority of the servers for longer
// than any decision can lag behind. With faults the order may suffer, and this judge is not asked.
//
// Threads: none.
#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "lock/record.hpp"
#include "lock/ticket.hpp"
#include "sim/finding.hpp"

namespace dexlock::sim {

class QueueJudge {
 public:
  // `lag`: how old a view may be on which a grant is decided.
  QueueJudge(std::size_t servers, Nanoseconds lag, bool asked, Findings& findings)
      : servers_(servers), lag_(lag), asked_(asked), findings_(findings) {}

  void on_posted(std::size_t server, const Ticket& ticket, bool remove, Nanoseconds now);

  // A server has accepted `value`: its grants were decided by now, whoever completes them later.
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
    Nanoseconds until = Nanoseconds::max();  // a decision may take it for real
  };

  std::size_t servers_;
  Nanoseconds lag_;
  bool asked_;
  Findings& findings_;
  std::map<ClientId, Waiter> waiters_;
  std::map<ClientId, std::map<std::size_t, Ghost>> ghosts_;  // by server
  std::set<ClientId> holders_;                               // as chosen last
  std::map<GrantId, Nanoseconds> decided_;                   // newer than newest_
  FencingToken newest_;
  std::uint64_t inherited_ = 0;
};

}  // namespace dexlock::sim
