#include "client/lease_set.hpp"

#include <algorithm>
#include <optional>

#include "client/named_lock.hpp"
#include "lock/invariant.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using Held = LeaseSet::Held;

// While it exists: asks for a stop when the caller does, or when a lock is lost.
class StopOnLoss {
 public:
  StopOnLoss(const LossNews& news, const std::stop_token& stop)
      : asked_(stop, [this] { source_.request_stop(); }),
        lost_(news.token(), [this] { source_.request_stop(); }) {}

  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::stop_callback<std::function<void()>> asked_;
  std::stop_callback<std::function<void()>> lost_;
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

LeaseSet::LeaseSet(std::vector<Held> held, std::string first, std::shared_ptr<LossNews> news)
    : held_(std::move(held)), first_(std::move(first)), news_(std::move(news)) {}

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

std::chrono::nanoseconds LeaseSet::remaining() const {
  auto shortest = std::chrono::nanoseconds::max();
  for (const Held& one : held_) {
    shortest = std::min(shortest, one.lease->remaining());
  }
  return shortest;
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

Result<void> LeaseSet::set_value(std::string text, milliseconds limit) {
  const auto first = std::ranges::find(held_, first_, &Held::name);
  return first->lease->set_value(std::move(text), limit);
}

Result<void> LeaseSet::fenced(milliseconds) { return {}; }

Result<void> LeaseSet::release(milliseconds limit) { return release_all(held_, limit); }

Result<std::unique_ptr<Lease>> Lease::acquire_all(LeaseOptions options,
                                                  const std::vector<std::string>& also,
                                                  std::stop_token stop) {
  if (also.empty()) {
    return acquire(std::move(options), std::move(stop));
  }
  if (options.fences) {
    return fail(Errc::bad_argument, "a previous holder can be fenced for one lock at a time only");
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
    const auto news = std::make_shared<LossNews>(options.on_lost);
    for (const std::string& name : names) {
      const StopOnLoss watch(*news, stop);
      LeaseOptions one = options_for(options, name, began);
      one.on_lost = [news, name](const std::string& why) { news->lost(name + ": " + why); };
      auto lease = acquire(std::move(one), watch.token());
      if (!lease) {
        failed = named_error(name, lease.error());
        break;
      }
      held.push_back({name, std::move(*lease)});
    }
    if (!failed && all_held(held) && news->arm()) {
      return std::make_unique<LeaseSet>(std::move(held), options.name, news);
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
