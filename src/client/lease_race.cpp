#include "client/lease_race.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "client/named_lock.hpp"
#include "client/quiet_thread.hpp"
#include "lock/random.hpp"
#include "store/machine.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

// Servers that neither grant nor say why not for that long keep the next lock waiting no longer.
constexpr milliseconds kHeadStart{1'000};
class Race {
 public:
  Race(const LeaseOptions& options, const AcquireOne& acquire, const std::stop_token& stop)
      : options_(options), acquire_(acquire), asked_(stop, [this] { over_.request_stop(); }) {}
  Race(const Race&) = delete;
  Race& operator=(const Race&) = delete;

  Result<std::unique_ptr<Lease>> run(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      enter(name);
      if (over_.stop_requested()) {
        break;
      }
    }
    for (std::thread& runner : runners_) {
      runner.join();
    }
    return winner_ ? Result<std::unique_ptr<Lease>>(std::move(winner_))
                   : std::unexpected(why_none());
  }

 private:
  // Returns when `name` is granted, refused or waited for.
  void enter(const std::string& name) {
    std::unique_lock lock(mutex_);
    runners_.push_back(start_quiet_thread([this, name] { ask(name); }));
    changed_.wait_for(lock, kHeadStart, [&] { return winner_ || heard_of_.contains(name); });
  }

  void ask(const std::string& name) {
    LeaseOptions one = options_for(options_, name, began_);
    one.on_wait = [this, name, told = std::move(one.on_wait),
                   last = std::string()](const Waiting& waiting) mutable {
      const std::scoped_lock lock(mutex_);
      heard_of(name);
      if (told && waiting.why != std::exchange(last, waiting.why)) {
        told(waiting);
      }
    };
    auto lease = acquire_(std::move(one), over_.get_token());
    if (!lease) {
      const std::scoped_lock lock(mutex_);
      failed_.push_back(named_error(name, lease.error()));
      heard_of(name);
      return;
    }
    over_.request_stop();
    if (!is_first(*lease)) {
      static_cast<void>((*lease)->release(kGiveBackLimit));
    }
  }

  // If so, it is the one that is kept.
  bool is_first(std::unique_ptr<Lease>& lease) {
    const std::scoped_lock lock(mutex_);
    if (winner_) {
      return false;
    }
    winner_ = std::move(lease);
    changed_.notify_all();
    return true;
  }

  void heard_of(const std::string& name) {
    heard_of_.insert(name);
    changed_.notify_all();
  }

  // What is wrong with more than one lock comes before that all are held.
  [[nodiscard]] Error why_none() const {
    const auto worse = std::ranges::find_if(
        failed_, [](const Error& error) { return error.code != Errc::held_by_other; });
    if (worse != failed_.end()) {
      return *worse;
    }
    Error all{Errc::held_by_other, {}};
    for (const Error& error : failed_) {
      all.text += (all.text.empty() ? "" : "; ") + error.text;
    }
    return all;
  }

  const LeaseOptions& options_;
  const AcquireOne& acquire_;
  const WaitClock::time_point began_ = WaitClock::now();
  std::stop_source over_;
  std::vector<std::thread> runners_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::set<std::string> heard_of_;  // that they are waited for, or not to be had
  std::unique_ptr<Lease> winner_;
  std::vector<Error> failed_;

  std::stop_callback<std::function<void()>> asked_;
};

}  // namespace

Result<std::unique_ptr<Lease>> first_granted(const LeaseOptions& options,
                                             const std::vector<std::string>& names,
                                             const AcquireOne& acquire,
                                             const std::stop_token& stop) {
  return Race(options, acquire, stop).run(names);
}

Result<std::unique_ptr<Lease>> Lease::acquire_any(LeaseOptions options,
                                                  const std::vector<std::string>& names,
                                                  std::stop_token stop) {
  if (names.empty()) {
    return fail(Errc::bad_argument, "no lock is named");
  }
  if (const auto fine = check_names(names); !fine) {
    return std::unexpected(fine.error());
  }
  // In an order of its own, so that those who come together do not all ask for the same first.
  std::vector<std::string> order = names;
  Random random(std::stoull(random_hex(8), nullptr, 16));
  for (std::size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[random.below(left)]);
  }
  return first_granted(options, order, &Lease::acquire, stop);
}

}  // namespace dexlock
