#include "client/lease_set.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "client/named_lock.hpp"
#include "client/quiet_thread.hpp"
#include "lock/invariant.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using Held = LeaseSet::Held;

// Becomes readable when one of `held` is lost, or `other` is readable.
UniqueFd any_loss(const std::vector<Held>& held, int other = -1) {
  UniqueFd set(::epoll_create1(EPOLL_CLOEXEC));
  const auto add = [&](int fd) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    INVARIANT(::epoll_ctl(set.get(), EPOLL_CTL_ADD, fd, &event) == 0);
  };
  for (const Held& one : held) {
    add(one.lease->loss_fd());
  }
  if (other >= 0) {
    add(other);
  }
  return set;
}

// While it exists: asks for a stop when the caller does, or when one of `held` is lost.
class StopOnLoss {
 public:
  StopOnLoss(const std::vector<Held>& held, const std::stop_token& stop)
      : done_(::eventfd(0, EFD_CLOEXEC)),
        watched_(any_loss(held, done_.get())),
        asked_(stop, [this] { source_.request_stop(); }) {
    if (!held.empty()) {
      thread_ = start_quiet_thread([this] { watch(); });
    }
  }
  StopOnLoss(const StopOnLoss&) = delete;
  StopOnLoss& operator=(const StopOnLoss&) = delete;
  ~StopOnLoss() {
    constexpr std::uint64_t kOne = 1;
    static_cast<void>(::write(done_.get(), &kOne, sizeof kOne));
    if (thread_.joinable()) {
      thread_.join();
    }
  }

  [[nodiscard]] std::stop_token token() { return source_.get_token(); }

 private:
  void watch() {
    epoll_event event{};
    while (::epoll_wait(watched_.get(), &event, 1, -1) < 0) {
    }
    if (event.data.fd != done_.get()) {
      source_.request_stop();
    }
  }

  std::stop_source source_;
  UniqueFd done_;
  UniqueFd watched_;
  std::stop_callback<std::function<void()>> asked_;
  std::thread thread_;
};

// The last one first: whoever waits for several waits in their order.
Result<void> release_all(std::vector<Held>& held, milliseconds limit) {
  const auto until = WaitClock::now() + limit;
  Result<void> all;
  for (auto one = held.rbegin(); one != held.rend(); ++one) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - WaitClock::now());
    if (auto released = one->lease->release(std::max(left, milliseconds(0))); !released && all) {
      all = std::move(released);
    }
  }
  return all;
}

bool all_held(const std::vector<Held>& held) {
  return std::ranges::all_of(held, [](const Held& one) { return one.lease->holds(); });
}

}  // namespace

LeaseSet::LeaseSet(std::vector<Held> held, std::string first)
    : held_(std::move(held)), first_(std::move(first)), loss_(any_loss(held_)) {}

std::uint64_t LeaseSet::token() const { return tokens().at(first_); }

std::map<std::string, std::uint64_t> LeaseSet::tokens() const {
  std::map<std::string, std::uint64_t> tokens;
  for (const Held& one : held_) {
    tokens.emplace(one.name, one.lease->token());
  }
  return tokens;
}

std::chrono::nanoseconds LeaseSet::elapsed() const {
  std::chrono::nanoseconds longest{};
  for (const Held& one : held_) {
    longest = std::max(longest, one.lease->elapsed());
  }
  return longest;
}

bool LeaseSet::holds() const { return all_held(held_); }

std::string LeaseSet::loss() const {
  for (const Held& one : held_) {
    if (const std::string why = one.lease->loss(); !why.empty()) {
      return one.name + ": " + why;
    }
  }
  return {};
}

Result<void> LeaseSet::release(milliseconds limit) { return release_all(held_, limit); }

Result<std::unique_ptr<Lease>> Lease::acquire_all(LeaseOptions options,
                                                  const std::vector<std::string>& also,
                                                  std::stop_token stop) {
  if (also.empty()) {
    return acquire(std::move(options), std::move(stop));
  }
  std::vector<std::string> names = also;
  names.push_back(options.name);
  if (const auto fine = check_names(names); !fine) {
    return std::unexpected(fine.error());
  }
  // All take them in one order, so nobody waits in a circle [Havender 1968].
  std::ranges::sort(names);
  const auto began = WaitClock::now();
  while (true) {
    std::vector<Held> held;
    std::optional<Error> failed;
    for (const std::string& name : names) {
      StopOnLoss watch(held, stop);
      auto lease = acquire(options_for(options, name, began), watch.token());
      if (!lease) {
        failed = named_error(name, lease.error());
        break;
      }
      held.push_back({name, std::move(*lease)});
    }
    if (!failed && all_held(held)) {
      return std::make_unique<LeaseSet>(std::move(held), options.name);
    }
    const bool lost = !all_held(held);
    static_cast<void>(release_all(held, kGiveBackLimit));
    if (failed && (!lost || stop.stop_requested())) {
      return std::unexpected(*failed);
    }
    const bool in_time = !options.wait || WaitClock::now() - began < *options.wait;
    if (stop.stop_requested() || options.try_once || !in_time) {
      return fail(Errc::lease_lost, "a lock was lost while the others were awaited");
    }
  }
}

}  // namespace dexlock
