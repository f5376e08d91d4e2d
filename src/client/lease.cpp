#include "dexlock/lease.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "client/client_context.hpp"
#include "client/clock.hpp"
#include "client/closed_text.hpp"
#include "client/held_text.hpp"
#include "client/lock_driver.hpp"
#include "client/loss_news.hpp"
#include "client/quiet_thread.hpp"
#include "client/stored_value.hpp"
#include "client/who_text.hpp"
#include "lease/timing.hpp"
#include "lock/fields.hpp"
#include "lock/invariant.hpp"
#include "lock/lock_name.hpp"
#include "lock/quorum.hpp"
#include "store/machine.hpp"
#include "store/shell_acceptor.hpp"
#include "store/store_file.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kClientIdBytes = 12;

// How long a release is waited for that nobody asks the outcome of.
constexpr milliseconds kTidyLimit{1'000};

// What the texts of a lock have room for.
constexpr milliseconds kShortestLease{100};
constexpr milliseconds kLongest{kSmallNumberMax};

Result<void> check_options(const LeaseOptions& options) {
  if (options.timeout < kShortestLease || options.timeout > kLongest) {
    return fail(Errc::bad_argument, "the timeout must be between 100 ms and 2^31 - 1 ms");
  }
  if (options.stop_timeout < milliseconds(0) || options.stop_timeout > kLongest) {
    return fail(Errc::bad_argument, "the stop timeout must be between 0 and 2^31 - 1 ms");
  }
  const Sharing& sharing = options.sharing;
  if (sharing.mode == Sharing::Mode::permits &&
      (sharing.permits == 0 || sharing.permits > sharing.of || sharing.of > kSmallNumberMax)) {
    return fail(Errc::bad_argument, "permits: at least 1, and at most as many as there are");
  }
  return {};
}

// A process that cannot reach any majority on its first try says so early, but goes on waiting.
// The part that lives on the background thread, and what both threads share.
class HeldLock final : public Lease {
 public:
  HeldLock(ClientContext context, std::string name, LeaseOptions options)
      : context_(std::move(context)),
        name_(std::move(name)),
        options_(std::move(options)),
        renewal_(loop_),
        news_(options_.on_lost) {}

  ~HeldLock() override {
    if (holds()) {
      static_cast<void>(release(kTidyLimit));
    }
    if (thread_.joinable()) {
      boost::asio::post(loop_, [this] { loop_.stop(); });
      thread_.join();
    }
  }

  // Blocks until granted, refused, out of time or stopped.
  Result<void> take(std::stop_token stop) {
    thread_ = start_quiet_thread([this] { serve(); });
    const std::stop_callback on_stop(stop, [this] {
      boost::asio::post(loop_, [this] {
        settle(fail(Errc::outcome_unknown, "stopped while waiting for the lock"));
      });
    });
    std::unique_lock lock(mutex_);
    const auto settled = [this] { return outcome_.has_value(); };
    if (!options_.wait) {
      changed_.wait(lock, settled);
    } else if (!changed_.wait_for(lock, *options_.wait, settled)) {
      lock.unlock();
      boost::asio::post(loop_, [this] { settle(std::unexpected(not_in_time())); });
      lock.lock();
      changed_.wait(lock, settled);
    }
    return *outcome_;
  }

  std::map<std::string, std::uint64_t> tokens() const override { return {{name_, token()}}; }
  std::uint64_t token() const override {
    const std::scoped_lock lock(mutex_);
    return token_.value;
  }

  std::chrono::nanoseconds elapsed() const override {
    const std::scoped_lock lock(mutex_);
    return elapsed_for_holder(start_, now());
  }

  std::chrono::nanoseconds remaining() const override {
    const std::scoped_lock lock(mutex_);
    const Nanoseconds left = lease_ - elapsed_for_holder(start_, now());
    return loss_text_.empty() ? std::max(left, Nanoseconds(0)) : Nanoseconds(0);
  }

  bool holds() const override {
    const std::scoped_lock lock(mutex_);
    return loss_text_.empty() && elapsed_for_holder(start_, now()) < lease_;
  }

  std::string loss() const override {
    const std::scoped_lock lock(mutex_);
    return loss_text_;
  }

  std::stop_token lost_token() const override { return news_.token(); }

  int loss_fd() const override { return news_.fd(); }

  Result<void> set_value(std::string text, milliseconds limit) override {
    if (options_.sharing.mode != Sharing::Mode::exclusive) {
      return fail(Errc::bad_argument, "only who holds a lock alone may store a value with it");
    }
    if (auto fits = check_value(text); !fits) {
      return fits;
    }
    if (auto outside = check_thread(); !outside) {
      return outside;
    }
    const std::scoped_lock turn(storing_);
    std::unique_lock lock(mutex_);
    if (!loss_text_.empty()) {
      return fail(Errc::lease_lost, "not held: " + loss_text_);
    }
    const std::uint64_t number = ++values_;
    boost::asio::post(loop_, [this, number, text = std::move(text)] { store(number, text); });
    const auto settled = [&] { return stored_ && stored_->first == number; };
    if (!changed_.wait_for(lock, limit, settled)) {
      return fail(Errc::outcome_unknown,
                  "no majority has confirmed the value in time; it may be stored, now or later");
    }
    return stored_->second;
  }

  Result<void> release(milliseconds limit) override {
    if (auto outside = check_thread(); !outside) {
      return outside;
    }
    {
      const std::scoped_lock lock(mutex_);
      if (loss_text_.empty()) {
        loss_text_ = "released";
      }
    }
    boost::asio::post(loop_, [this] { give_up(); });
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, limit, [this] { return released_.has_value(); })) {
      return fail(Errc::no_quorum,
                  "the release is not confirmed by a majority; the lock becomes free "
                  "when its lease has run out");
    }
    return *released_;
  }

 private:
  // What waits for the background thread must not be called on it.
  Result<void> check_thread() const {
    if (std::this_thread::get_id() == thread_.get_id()) {
      return fail(Errc::bad_argument, "not to be called from on_wait or on_lost");
    }
    return {};
  }

  // --- on the background thread ---

  void serve() {
    cluster_.emplace(loop_, context_.cluster_options(),
                     Cluster::Handlers{
                         .on_ready = [this] { on_ready(); },
                         .on_fatal = [this](const Error& error) { settle(std::unexpected(error)); },
                         .on_change = [this](std::size_t server) { on_change(server); },
                     });
    if (options_.fifo && cluster_->has_files_store()) {
      settle(fail(Errc::bad_config,
                  "first come, first served needs lock servers that keep a queue: native ones or "
                  "directories"));
    } else {
      cluster_->open();
    }
    const auto guard = boost::asio::make_work_guard(loop_);
    loop_.run();
    driver_.reset();
    cluster_.reset();
  }

  void on_ready() {
    if (auto noted = context_.memory.remember_group(cluster_->group()->id); !noted) {
      settle(std::unexpected(noted.error()));
      return;
    }
    driver_.emplace(
        loop_, *cluster_,
        LockDriverOptions{.name = name_,
                          .claim = claim_of({random_hex(kClientIdBytes)}, options_.sharing),
                          .terms = {options_.timeout, options_.stop_timeout,
                                    claim_lease(options_.timeout), kDriftPpm},
                          .who = who_text(who_here(::getpid(), options_.command)),
                          .sticky_promises = !options_.fifo,
                          .seen = context_.memory.seen(key_file_name(name_))},
        LockDriver::Handlers{.on_event = [this](const Event& event) { on_event(event); },
                             .save = {},
                             .on_save_failed = {}});
    driver_->acquire(options_.try_once ? Patience::once : Patience::wait);
  }

  void on_change(std::size_t server) {
    if (settle_refusal()) {
      return;
    }
    if (driver_) {
      driver_->recall(server);
    } else if (options_.try_once && cluster_->settled() && !cluster_->group()) {
      settle(fail(Errc::no_quorum, cluster_->assembly().waiting_for()));
    } else if (options_.on_wait && cluster_->settled() && !cluster_->group()) {
      options_.on_wait(cluster_->assembly().waiting_for());
    }
  }

  // Where too few servers are left that could ever agree, no waiting helps.
  bool settle_refusal() {
    std::size_t refused = 0;
    std::optional<Error> why;
    for (std::size_t server = 0; server < cluster_->size(); ++server) {
      const auto view = cluster_->view(server);
      if (view.down && must_correct(view.down->code)) {
        ++refused;
        why = view.down;
      }
    }
    if (!why || taken_ || cluster_->size() - refused >= majority(cluster_->size())) {
      return false;
    }
    settle(std::unexpected(*why));
    return true;
  }

  void on_event(const Event& event) {
    if (const auto* granted = std::get_if<Granted>(&event)) {
      on_granted(*granted);
    } else if (std::holds_alternative<Renewed>(event)) {
      note_belief();
      if (!taken_ && !given_up_ && driver_->session().belief()) {
        take_over();
      }
    } else if (const auto* lost = std::get_if<Lost>(&event)) {
      on_lost(lost->why);
    } else if (std::holds_alternative<Stored>(event)) {
      settle_store({});
    } else if (std::holds_alternative<NotStored>(event)) {
      settle_store(fail(Errc::bad_argument,
                        "not stored: the lock's record has no room for it, or a newer version "
                        "wrote it"));
    } else if (const auto* busy = std::get_if<Busy>(&event)) {
      on_busy(*busy);
    } else if (const auto* closed = std::get_if<Closed>(&event)) {
      on_closed(*closed);
    } else if (std::holds_alternative<NoQuorum>(event)) {
      on_no_quorum();
    } else if (std::holds_alternative<Released>(event)) {
      on_released();
    } else if (std::holds_alternative<AlarmRaised>(event)) {
      const Error twins{Errc::store_damaged,
                        "two clients run with one identity (a cloned machine?); stop one of them"};
      settle(std::unexpected(twins));
      settle_release(std::unexpected(twins));
    }
  }

  void on_granted(const Granted& granted) {
    remember();
    if (given_up_) {
      driver_->release();
      return;
    }
    {
      const std::scoped_lock lock(mutex_);
      token_ = granted.token;
    }
    // The short lease of a lock that was handed over leaves no time to stop in. The renewal that
    // makes it a whole one is on its way.
    if (!granted.inherited) {
      take_over();
    }
    schedule_renewal();
  }

  void take_over() {
    taken_ = true;
    note_belief();
    if (settle({})) {
      INVARIANT(news_.arm());
    }
  }

  void note_belief() {
    const std::scoped_lock lock(mutex_);
    if (const auto& belief = driver_->session().belief()) {
      start_ = belief->start();
      lease_ = belief->lease();
    }
  }

  void schedule_renewal() {
    const Instant at = now();
    const auto& belief = driver_->session().belief();
    if (!belief) {
      return;
    }
    const Nanoseconds period = belief->lease() / 5;
    const Nanoseconds since = elapsed_for_holder(last_renewal_.value_or(belief->start()), at);
    renewal_.expires_after(std::max(period - since, Nanoseconds(0)));
    renewal_.async_wait([this](const boost::system::error_code& error) {
      if (!error && driver_->session().belief()) {
        last_renewal_ = now();
        driver_->renew();
        schedule_renewal();
      }
    });
  }

  void on_lost(const std::string& why) {
    renewal_.cancel();
    if (!taken_) {  // granted, but too late to be of use: given back, and wanted still
      last_reason_ = why;
      driver_->release();
      if (options_.try_once) {
        settle(fail(Errc::no_quorum, why));
      }
      return;
    }
    settle_store(unknown_value());
    {
      const std::scoped_lock lock(mutex_);
      if (!loss_text_.empty()) {
        return;  // released meanwhile
      }
      loss_text_ = why;
    }
    news_.lost(why);
  }

  void store(std::uint64_t number, const std::string& text) {
    storing_number_ = number;
    if (driver_->session().belief()) {
      driver_->store(text);
    } else {
      settle_store(fail(Errc::lease_lost, "not held any more"));
    }
  }

  static Result<void> unknown_value() {
    return fail(Errc::outcome_unknown,
                "the lock ended before a majority confirmed the value; it may be stored or not");
  }

  void on_released() {
    if (taken_ || given_up_) {
      settle_release({});
    } else if (!options_.try_once) {
      boost::asio::post(loop_, [this] {
        if (!given_up_) {
          driver_->acquire(Patience::wait);
        }
      });
    }
  }

  void on_busy(const Busy& busy) {
    remember();
    last_reason_ = held_text(busy.record, claim_of({}, options_.sharing));
    if (options_.try_once) {
      settle(fail(Errc::held_by_other, last_reason_));
    } else if (options_.on_wait) {
      options_.on_wait(last_reason_);
    }
  }

  void on_closed(const Closed& closed) {
    last_reason_ = closed_text(closed);
    if (given_up_) {
      settle_release(fail(Errc::held_by_other, last_reason_));
    } else if (options_.try_once || !closed.waits) {
      settle(fail(Errc::held_by_other, last_reason_));
    } else if (options_.on_wait) {
      options_.on_wait(last_reason_);
    }
  }

  void on_no_quorum() {
    if (settle_refusal()) {
      return;
    }
    last_reason_ = "too few lock servers answer";
    for (std::size_t server = 0; server < cluster_->size(); ++server) {
      const auto view = cluster_->view(server);
      if (const std::string why = view.down ? view.down->text : view.fault; !why.empty()) {
        last_reason_ += "; " + why;
      }
    }
    if (taken_) {
      return;
    }
    if (options_.try_once) {
      settle(fail(Errc::no_quorum, last_reason_));
    } else if (options_.on_wait) {
      options_.on_wait(last_reason_);
    }
  }

  void give_up() {
    given_up_ = true;
    renewal_.cancel();
    settle_store(unknown_value());
    if (driver_) {
      driver_->release();
    } else {
      settle_release({});
    }
  }

  [[nodiscard]] Error not_in_time() {
    if (!cluster_->group()) {
      return Error{Errc::no_quorum, cluster_->assembly().waiting_for()};
    }
    return Error{Errc::held_by_other,
                 "not acquired in time" + (last_reason_.empty() ? "" : ": " + last_reason_)};
  }

  void remember() { context_.memory.remember_seen(key_file_name(name_), driver_->seen()); }

  // True for the first outcome, which is the one that counts.
  bool settle(Result<void> outcome) {
    const std::scoped_lock lock(mutex_);
    if (outcome_) {
      return false;
    }
    outcome_ = std::move(outcome);
    changed_.notify_all();
    return true;
  }

  void settle_store(Result<void> outcome) {
    const std::scoped_lock lock(mutex_);
    if (storing_number_ != 0) {
      stored_.emplace(std::exchange(storing_number_, 0), std::move(outcome));
      changed_.notify_all();
    }
  }

  void settle_release(Result<void> outcome) {
    const std::scoped_lock lock(mutex_);
    if (!released_) {
      released_ = std::move(outcome);
      changed_.notify_all();
    }
  }

  ClientContext context_;
  std::string name_;
  LeaseOptions options_;
  boost::asio::io_context loop_;
  boost::asio::steady_timer renewal_;
  std::optional<Cluster> cluster_;
  std::optional<LockDriver> driver_;
  std::optional<Instant> last_renewal_;
  std::string last_reason_;
  bool taken_ = false;
  bool given_up_ = false;
  std::uint64_t storing_number_ = 0;  // of the value that is being stored; 0: none
  std::thread thread_;
  LossNews news_;
  std::mutex storing_;  // one value at a time

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::optional<Result<void>> outcome_;   // of taking it
  std::optional<Result<void>> released_;  // of giving it up
  std::uint64_t values_ = 0;              // how many were to be stored so far
  std::optional<std::pair<std::uint64_t, Result<void>>> stored_;  // what became of which
  FencingToken token_;
  Instant start_;
  Nanoseconds lease_{};
  std::string loss_text_;
};

}  // namespace

Result<std::unique_ptr<Lease>> Lease::acquire(LeaseOptions options, std::stop_token stop) {
  const auto name = LockName::parse(options.name);
  if (!name) {
    return std::unexpected(name.error());
  }
  if (const auto fine = check_options(options); !fine) {
    return std::unexpected(fine.error());
  }
  auto context = ClientContext::load();
  if (!context) {
    return std::unexpected(context.error());
  }
  auto held = std::make_unique<HeldLock>(std::move(*context), name->text(), std::move(options));
  auto taken = held->take(std::move(stop));
  if (!taken) {
    // A grant may still be under way: tell the servers that it is not wanted.
    static_cast<void>(held->release(kTidyLimit));
    return std::unexpected(taken.error());
  }
  return held;
}

Result<std::unique_ptr<Lease>> Lease::try_acquire(LeaseOptions options) {
  options.try_once = true;
  return acquire(std::move(options));
}

// The results are shared because an executor may copy what it is to call.
void Lease::async_acquire(LeaseOptions options, Executor executor, Acquired done,
                          std::stop_token stop) {
  start_quiet_thread([options = std::move(options), executor = std::move(executor),
                      done = std::move(done), stop = std::move(stop)]() mutable {
    auto lease = std::make_shared<Result<std::unique_ptr<Lease>>>(
        acquire(std::move(options), std::move(stop)));
    executor([done = std::move(done), lease = std::move(lease)] { done(std::move(*lease)); });
  }).detach();
}

void Lease::async_release(std::unique_ptr<Lease> lease, milliseconds limit, Executor executor,
                          std::function<void(Result<void>)> done) {
  start_quiet_thread([lease = std::move(lease), limit, executor = std::move(executor),
                      done = std::move(done)]() mutable {
    auto released = lease->release(limit);
    lease.reset();
    executor([done = std::move(done), released = std::move(released)] { done(released); });
  }).detach();
}

}  // namespace dexlock
