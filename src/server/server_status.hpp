// What an operator may ask a running server: its metrics, and whether it is well.
//
// Both ask the store, which works on its own thread, by jobs beside those of clients: a probe, and
// slices of a count. Whoever asks while an answer is on its way shares it.
//
// Invariants:  an answer comes within kStoreLimit, whatever the store does. A count holds the store
//              up for no more than kTallySlice records at a time.
// Threads:     all on the thread that runs the event loop.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "server/http_pages.hpp"
#include "server/server_metrics.hpp"
#include "server/store_thread.hpp"

namespace dexlock {

inline constexpr std::chrono::seconds kStoreLimit{3};  // then the store counts as stuck
inline constexpr std::size_t kTallySlice = 500;

class ServerStatus {
 public:
  using Put = std::function<void(std::vector<Job>)>;  // to the store's thread
  using Look = std::function<void(ServerMetrics&)>;   // fills in what is not counted

  ServerStatus(boost::asio::io_context& loop, std::string version, Put put, Look look);
  ServerStatus(const ServerStatus&) = delete;
  ServerStatus& operator=(const ServerStatus&) = delete;
  ~ServerStatus() { *alive_ = false; }

  [[nodiscard]] ServerMetrics& counted() { return metrics_; }
  void on_done(const Done& done);
  void stopping() { stopping_ = true; }

  // GET /metrics and GET /health.
  [[nodiscard]] HttpPages::Pages pages();

 private:
  using Clock = std::chrono::steady_clock;

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

  void ask(Round& round, std::vector<Job> jobs, HttpPages::Answer answer);
  void begin(Round& round, std::vector<Job> jobs);
  void answer_all(Round& round);
  void finish(Round& round);
  [[nodiscard]] static bool is_late(const Round& round);
  void count_on(const Result<EmbeddedAcceptor::Tally>& slice);

  [[nodiscard]] HttpReply health_page();
  [[nodiscard]] HttpReply metrics_page();

  Put put_;
  Look look_;
  ServerMetrics metrics_;
  EmbeddedAcceptor::Tally tally_;  // of the count that goes on
  Result<void> probed_;
  bool stopping_ = false;
  Round health_;
  Round count_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dexlock
