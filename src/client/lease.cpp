#include "dexlock/lease.hpp"

#include <boost/asio/post.hpp>
#include <future>
#include <mutex>
#include <utility>

#include "client/client_context.hpp"
#include "client/connections.hpp"
#include "client/lease_facts.hpp"
#include "client/lease_keeper.hpp"
#include "client/quiet_thread.hpp"
#include "client/stored_value.hpp"
#include "lock/fields.hpp"
#include "lock/lock_name.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

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
  if (options.fences && options.sharing.mode != Sharing::Mode::exclusive) {
    return fail(Errc::bad_argument, "only who holds a lock alone can fence its previous holder");
  }
  return {};
}

// The holder's side of a lease.
class HeldLock final : public Lease {
 public:
  using Done = LeaseKeeper::Done;

  static Result<std::unique_ptr<HeldLock>> prepare(LeaseOptions options) {
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
    return std::unique_ptr<HeldLock>(
        new HeldLock(std::move(*context), name->text(), std::move(options)));
  }

  ~HeldLock() override {
    if (!connections_->on_its_thread()) {
      if (holds()) {
        static_cast<void>(release(kTidyLimit));
      }
      connections_->call([this] { keeper_->close(); });
    } else if (holds()) {  // nothing can be waited for here
      facts_->end("released");
      keeper_->release(kTidyLimit, [keeper = keeper_, connections = connections_](
                                       const Result<void>&) { keeper->close(); });
    } else {
      keeper_->close();
    }
  }

  // What waits for the background thread must not be called on it.
  Result<void> check_thread() const {
    if (connections_->on_its_thread()) {
      return fail(Errc::bad_argument,
                  "it waits, so it must not be called from where the library calls");
    }
    return {};
  }

  // `done` comes when it is granted, refused, out of time or stopped, and may destroy this at once.
  void begin(const std::stop_token& stop, Done done) {
    on_stop_.emplace(stop, [this] { post([](LeaseKeeper& keeper) { keeper.stop_waiting(); }); });
    post(
        [done = std::move(done)](LeaseKeeper& keeper) mutable { keeper.acquire(std::move(done)); });
  }

  void begin_release(milliseconds limit, Done done) {
    facts_->end("released");
    post([limit, done = std::move(done)](LeaseKeeper& keeper) mutable {
      keeper.release(limit, std::move(done));
    });
  }

  Result<void> take(const std::stop_token& stop) {
    return outcome_of([&](Done done) { begin(stop, std::move(done)); });
  }

  std::map<std::string, std::uint64_t> tokens() const override { return {{name_, token()}}; }
  std::uint64_t token() const override { return facts_->token().value; }
  std::chrono::nanoseconds elapsed() const override { return facts_->elapsed(); }
  std::chrono::nanoseconds remaining() const override { return facts_->remaining(); }
  bool holds() const override { return remaining() > Nanoseconds(0); }
  std::string loss() const override { return facts_->loss(); }
  std::stop_token lost_token() const override { return facts_->news().token(); }
  int loss_fd() const override { return facts_->news().fd(); }

  Result<void> set_value(std::string text, milliseconds limit) override {
    if (!exclusive_) {
      return fail(Errc::bad_argument, "only who holds a lock alone may store a value with it");
    }
    if (auto fits = check_value(text); !fits) {
      return fits;
    }
    return record([text = std::move(text), limit](LeaseKeeper& keeper, Done done) {
      keeper.store(text, limit, std::move(done));
    });
  }

  std::optional<Predecessor> previous() const override {
    const auto departed = facts_->previous();
    if (!fences_ || !departed) {
      return std::nullopt;
    }
    return Predecessor{.token = departed->token.value,
                       .who = departed->who.empty() ? departed->client.text : departed->who,
                       .broken = departed->how == EndKind::broken};
  }

  Result<void> fenced(milliseconds limit) override {
    const auto departed = previous();
    if (!departed) {
      return {};
    }
    auto recorded = record([token = departed->token, limit](LeaseKeeper& keeper, Done done) {
      keeper.mark_fenced(FencingToken{token}, limit, std::move(done));
    });
    if (recorded) {
      facts_->note_previous(std::nullopt);
    }
    return recorded;
  }

  Result<void> release(milliseconds limit) override {
    if (auto outside = check_thread(); !outside) {
      return outside;
    }
    return outcome_of([&](Done done) { begin_release(limit, std::move(done)); });
  }

 private:
  // `ask` runs on the background thread.
  Result<void> record(std::function<void(LeaseKeeper&, Done)> ask) {
    if (auto outside = check_thread(); !outside) {
      return outside;
    }
    const std::scoped_lock turn(storing_);
    if (const std::string why = loss(); !why.empty()) {
      return fail(Errc::lease_lost, "not held: " + why);
    }
    return outcome_of([&](Done done) {
      post([ask = std::move(ask), done = std::move(done)](LeaseKeeper& keeper) mutable {
        ask(keeper, std::move(done));
      });
    });
  }

  HeldLock(ClientContext context, std::string name, LeaseOptions options)
      : name_(std::move(name)),
        exclusive_(options.sharing.mode == Sharing::Mode::exclusive),
        fences_(options.fences),
        facts_(std::make_shared<LeaseFacts>(options.on_lost)),
        connections_(Connections::of(context)),
        keeper_(std::make_shared<LeaseKeeper>(*connections_, std::move(context), name_,
                                              std::move(options), facts_)) {}

  void post(std::function<void(LeaseKeeper&)> what) {
    const auto connections = connections_;  // `what` may destroy this before post() has returned
    boost::asio::post(connections->loop(),
                      [keeper = keeper_, what = std::move(what)] { what(*keeper); });
  }

  template <class Begin>
  static Result<void> outcome_of(const Begin& begin) {
    auto told = std::make_shared<std::promise<Result<void>>>();
    auto outcome = told->get_future();
    begin([told](Result<void> result) { told->set_value(std::move(result)); });
    return outcome.get();
  }

  std::string name_;
  bool exclusive_;
  bool fences_;
  std::shared_ptr<LeaseFacts> facts_;
  std::shared_ptr<Connections> connections_;
  std::shared_ptr<LeaseKeeper> keeper_;
  std::mutex storing_;  // one value at a time
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace

Result<std::unique_ptr<Lease>> Lease::acquire(LeaseOptions options, std::stop_token stop) {
  auto held = HeldLock::prepare(std::move(options));
  if (!held) {
    return std::unexpected(held.error());
  }
  if (auto outside = (*held)->check_thread(); !outside) {
    return std::unexpected(outside.error());
  }
  if (auto taken = (*held)->take(stop); !taken) {
    // A grant may still be under way: tell the servers that it is not wanted.
    static_cast<void>((*held)->release(kTidyLimit));
    return std::unexpected(taken.error());
  }
  return std::move(*held);
}

Result<std::unique_ptr<Lease>> Lease::try_acquire(LeaseOptions options) {
  options.try_once = true;
  return acquire(std::move(options));
}

// What is handed on is shared because an executor may copy what it is to call.
void Lease::async_acquire(LeaseOptions options, Executor executor, Acquired done,
                          std::stop_token stop) {
  const auto tell = [executor = std::move(executor),
                     done = std::move(done)](Result<std::unique_ptr<Lease>> lease) {
    executor([done, lease = std::make_shared<Result<std::unique_ptr<Lease>>>(std::move(lease))] {
      done(std::move(*lease));
    });
  };
  auto prepared = HeldLock::prepare(std::move(options));
  if (!prepared) {
    tell(std::unexpected(prepared.error()));
    return;
  }
  auto held = std::make_shared<std::unique_ptr<HeldLock>>(std::move(*prepared));
  HeldLock& lock = **held;
  lock.begin(stop, [held, tell](const Result<void>& taken) {
    if (taken) {
      tell(std::move(*held));
      return;
    }
    HeldLock& unwanted = **held;  // as in acquire()
    unwanted.begin_release(kTidyLimit, [held, tell, why = taken.error()](const Result<void>&) {
      held->reset();
      tell(std::unexpected(why));
    });
  });
}

void Lease::async_release(std::unique_ptr<Lease> lease, milliseconds limit, Executor executor,
                          std::function<void(Result<void>)> done) {
  const auto tell = [executor = std::move(executor),
                     done = std::move(done)](const Result<void>& released) {
    executor([done, released] { done(released); });
  };
  const auto shared = std::make_shared<std::unique_ptr<Lease>>(std::move(lease));
  if (auto* one = dynamic_cast<HeldLock*>(shared->get())) {
    one->begin_release(limit, [shared, tell](const Result<void>& released) {
      shared->reset();
      tell(released);
    });
    return;
  }
  // Of several the next one is released after the last one.
  start_quiet_thread([shared, limit, tell] {
    const auto released = (*shared)->release(limit);
    shared->reset();
    tell(released);
  }).detach();
}

bool Lease::wait_for_background(milliseconds limit) { return Connections::wait_for_none(limit); }

}  // namespace dexlock
