// Leases as asynchronous operations of Boost.Asio, with any completion token:
//
//   auto lease = co_await dexlock::asio::acquire(options, boost::asio::use_awaitable);
//
// The one header of the library that needs more than the standard library: include it only if the
// program has Boost.Asio. The operation keeps the executor's context at work until it completes;
// the context must live that long.
//
// Threads: any. The handler is called on its associated executor.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <utility>

#include "dexlock/lease.hpp"

namespace dexlock::asio {
namespace detail {

// A handler that waits for its result. Shared, because what std::function holds may be copied.
template <class Handler>
struct Pending {
  explicit Pending(Handler to_call)
      : handler(std::move(to_call)),
        work(boost::asio::make_work_guard(boost::asio::get_associated_executor(handler))) {}

  // Calls the handler. Requires: runs on its executor, and for the first time.
  template <class Outcome>
  void complete(Outcome outcome) {
    boost::asio::get_associated_cancellation_slot(handler).clear();
    work.reset();
    auto taken = std::move(handler);
    std::move(taken)(std::move(outcome));
  }

  Handler handler;
  boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler>> work;
};

template <class Handler>
Executor executor_of(const std::shared_ptr<Pending<Handler>>& pending) {
  return [executor = pending->work.get_executor()](std::function<void()> call) {
    boost::asio::post(executor, std::move(call));
  };
}

}  // namespace detail

// Completes with Result<std::unique_ptr<Lease>>, as Lease::acquire() returns it. When cancelled, of
// whatever kind, with outcome_unknown: it does not hold the lock.
template <class Token>
auto acquire(LeaseOptions options, Token&& token) {
  using Outcome = Result<std::unique_ptr<Lease>>;
  return boost::asio::async_initiate<Token, void(Outcome)>(
      [](auto handler, LeaseOptions wanted) {
        auto pending = std::make_shared<detail::Pending<decltype(handler)>>(std::move(handler));
        std::stop_source stop;
        if (auto slot = boost::asio::get_associated_cancellation_slot(pending->handler);
            slot.is_connected()) {
          slot.assign([stop](boost::asio::cancellation_type) mutable { stop.request_stop(); });
        }
        Lease::async_acquire(
            std::move(wanted), detail::executor_of(pending),
            [pending](Outcome outcome) { pending->complete(std::move(outcome)); },
            stop.get_token());
      },
      token, std::move(options));
}

// Completes with Result<void>, as Lease::release() returns it. It cannot be cancelled: it is over
// within `limit`.
template <class Token>
auto release(std::unique_ptr<Lease> lease, std::chrono::milliseconds limit, Token&& token) {
  return boost::asio::async_initiate<Token, void(Result<void>)>(
      [](auto handler, std::unique_ptr<Lease> held, std::chrono::milliseconds within) {
        auto pending = std::make_shared<detail::Pending<decltype(handler)>>(std::move(handler));
        Lease::async_release(std::move(held), within, detail::executor_of(pending),
                             [pending](Result<void> outcome) { pending->complete(outcome); });
      },
      token, std::move(lease), limit);
}

}  // namespace dexlock::asio
