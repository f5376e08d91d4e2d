// What an operator may ask a running server: its metrics, and whether it is well.
//
// Both ask the store, which the server's event loop calls, by jobs beside those of clients: a
// probe, and slices of a count. Whoever asks while an answer is on its way shares it. All else is
// read from the board.
//
// Invariants:  an answer comes within kStoreLimit, whatever the store does. A count holds the store
//              up for no more than kTallySlice records at a time.
// Threads:     all on the thread that runs the event loop of the pages.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

#include "server/http_pages.hpp"
#include "server/status_board.hpp"
#include "server/store_turns.hpp"

namespace dexlock {

inline constexpr std::chrono::seconds kStoreLimit{3};  // then the store counts as stuck
inline constexpr std::size_t kTallySlice = 500;

class ServerStatus {
 public:
  using Ask = std::function<void(Job)>;  // the store, which may answer later

  ServerStatus(boost::asio::io_context& loop, StatusBoard& board, Ask ask);
  ServerStatus(const ServerStatus&) = delete;
  ServerStatus& operator=(const ServerStatus&) = delete;

  // What the store has answered.
  void on_probed(const Result<void>& probed);
  void on_counted(const Result<EmbeddedAcceptor::Tally>& slice);
  void stopping() { stopping_ = true; }

  // GET /metrics and GET /health.
  [[nodiscard]] HttpPages::Pages pages();

 private:
  using Clock = StatusBoard::Clock;

  // Those who wait for the same answer of the store.
  struct Round {
    Round(boost::asio::io_context& loop, HttpReply (ServerStatus::*made)())
        : page(made), limit(loop) {}

    HttpReply (ServerStatus::*page)();
    std::vector<HttpPages::Answer> waiting;
    bool out = false;  // the store has been asked and has not answered
    Clock::time_point since;
    boost::asio::steady_timer limit;
  };

  void ask(Round& round, Job job, HttpPages::Answer answer);
  void begin(Round& round, Job job);
  void answer_all(Round& round);
  void finish(Round& round);
  [[nodiscard]] static Clock::duration age(const Round& round);
  [[nodiscard]] Clock::duration store_silent_for() const;

  [[nodiscard]] HttpReply health_page();
  [[nodiscard]] HttpReply metrics_page();

  StatusBoard& board_;
  Ask ask_;
  EmbeddedAcceptor::Tally tally_;  // of the count that goes on
  Result<void> probed_;
  bool stopping_ = false;
  Round health_;
  Round count_;
};

}  // namespace dexlock
