// Somebody waits for the outcome of what is under way, maybe for a limited time only.
//
// Invariants:  `done` is called once, from the loop, never from inside a call.
// Threads:     the event loop's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "dexlock/error.hpp"

namespace dexlock {

class PendingOutcome : public std::enable_shared_from_this<PendingOutcome> {
 public:
  using Done = std::function<void(Result<void>)>;

  PendingOutcome(boost::asio::io_context& loop, Done done)
      : loop_(loop), timer_(loop), done_(std::move(done)) {}

  // After `limit` the outcome is what `late` says then.
  void expire_after(std::chrono::milliseconds limit, std::function<Error()> late) {
    timer_.expires_after(limit);
    timer_.async_wait([self = shared_from_this(),
                       late = std::move(late)](const boost::system::error_code& error) {
      if (!error) {
        self->settle(std::unexpected(late()));
      }
    });
  }

  // True for the first outcome, which is the one that counts.
  bool settle(Result<void> outcome) {
    if (!done_) {
      return false;
    }
    timer_.cancel();
    boost::asio::post(
        loop_, [done = std::exchange(done_, {}), outcome = std::move(outcome)] { done(outcome); });
    return true;
  }

 private:
  boost::asio::io_context& loop_;
  boost::asio::steady_timer timer_;
  Done done_;
};

}  // namespace dexlock
