#include "dexlock/lease.hpp"

#include <sys/eventfd.h>
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
#include "client/quiet_thread.hpp"
#include "client/who_text.hpp"
#include "lease/timing.hpp"
#include "lock/lock_name.hpp"
#include "lock/quorum.hpp"
#include "store/machine.hpp"
#include "store/shell_acceptor.hpp"
#include "store/store_file.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kClientIdBytes = 12;

// A process that cannot reach any majority on its first try says so early, but goes on waiting.
// The part that lives on the background thread, and what both threads share.
class HeldLock final : public Lease {
 public:
  HeldLock(ClientContext context, std::string name, LeaseOptions options)
      : context_(std::move(context)),
        name_(std::move(name)),
        options_(std::move(options)),
        renewal_(loop_),
        loss_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  ~HeldLock() override {
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

  bool holds() const override {
    const std::scoped_lock lock(mutex_);
    return loss_text_.empty() && elapsed_for_holder(start_, now()) < lease_;
  }

  std::string loss() const override {
    const std::scoped_lock lock(mutex_);
    return loss_text_;
  }

  int loss_fd() const override { return loss_.get(); }

  Result<void> release(milliseconds limit) override {
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
    settle({});
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
    {
      const std::scoped_lock lock(mutex_);
      if (loss_text_.empty()) {
        loss_text_ = why;
      }
    }
    constexpr std::uint64_t kOne = 1;
    static_cast<void>(::write(loss_.get(), &kOne, sizeof kOne));
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

  void settle(Result<void> outcome) {
    const std::scoped_lock lock(mutex_);
    if (!outcome_) {
      outcome_ = std::move(outcome);
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
  std::thread thread_;
  UniqueFd loss_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::optional<Result<void>> outcome_;   // of taking it
  std::optional<Result<void>> released_;  // of giving it up
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
  auto context = ClientContext::load();
  if (!context) {
    return std::unexpected(context.error());
  }
  auto held = std::make_unique<HeldLock>(std::move(*context), name->text(), std::move(options));
  auto taken = held->take(std::move(stop));
  if (!taken) {
    // A grant may still be under way: tell the servers that it is not wanted.
    constexpr milliseconds kTidyLimit{1'000};
    static_cast<void>(held->release(kTidyLimit));
    return std::unexpected(taken.error());
  }
  return held;
}

}  // namespace dexlock
