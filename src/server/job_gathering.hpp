// Gathers jobs for the store's next turn: that comes behind everything that is ready now, so what
// has arrived on all connections shares one commit.
//
// Invariants:  a turn is never empty. It waits for no more than a turn can commit at once, and for
//              nothing that is not there yet.
// Threads:     all on the thread that runs the event loop.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "server/store_turns.hpp"

namespace boost::asio {
class io_context;
}

namespace dexlock {

class JobGathering {
 public:
  using Turn = std::function<void(std::vector<Job>)>;

  // `turn` is called from the loop, never from add() and never after the end of this.
  JobGathering(boost::asio::io_context& loop, Turn turn) : loop_(loop), turn_(std::move(turn)) {}
  JobGathering(const JobGathering&) = delete;
  JobGathering& operator=(const JobGathering&) = delete;
  ~JobGathering() { *alive_ = false; }

  void add(Job job);
  [[nodiscard]] bool empty() const { return jobs_.empty(); }

 private:
  void wait(std::size_t before);

  boost::asio::io_context& loop_;
  Turn turn_;
  std::vector<Job> jobs_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dexlock
