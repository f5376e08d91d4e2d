#include "client/lease_keeper.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "client/client_id.hpp"
#include "client/clock.hpp"
#include "client/closed_text.hpp"
#include "client/held_text.hpp"
#include "client/who_text.hpp"
#include "lease/timing.hpp"
#include "lock/invariant.hpp"
#include "lock/quorum.hpp"
#include "store/shell_acceptor.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

// Renewals that are due within so much of their period leave together.
constexpr int kRenewalsTogether = 8;

Result<void> unknown_value() {
  return fail(Errc::outcome_unknown,
              "the lock ended before a majority confirmed the value; it may be stored or not");
}

}  // namespace

LeaseKeeper::LeaseKeeper(Connections& connections, ClientContext context, std::string name,
                         LeaseOptions options, std::shared_ptr<LeaseFacts> facts)
    : connections_(connections),
      cluster_(connections.cluster()),
      context_(std::move(context)),
      name_(std::move(name)),
      options_(std::move(options)),
      facts_(std::move(facts)),
      renewal_(connections.loop()),
      marks_(context_.paths.state_dir) {}

void LeaseKeeper::acquire(Done done) {
  acquiring_ = std::make_shared<PendingOutcome>(connections_.loop(), std::move(done));
  if (options_.wait) {
    acquiring_->expire_after(*options_.wait,
                             [self = shared_from_this()] { return self->not_in_time(); });
  }
  if (stopped_) {
    stop_waiting();
    return;
  }
  if (options_.fifo && cluster_.has_files_store()) {
    settle(fail(Errc::bad_config,
                "first come, first served needs lock servers that keep a queue: native ones or "
                "directories"));
    return;
  }
  prepare();
  connections_.enter(*this);
  if (!driver_) {
    on_change(0);  // what is known of the servers already may suffice
  }
}

void LeaseKeeper::stop_waiting() {
  stopped_ = true;
  if (acquiring_) {
    settle(fail(Errc::outcome_unknown, "stopped while waiting for the lock"));
  }
}

void LeaseKeeper::close() {
  if (prepared_) {
    marks_.take_back(prepared_->claim.client);
  }
  dead_.reset();
  connections_.leave(*this);
  renewal_.cancel();
  driver_.reset();
  options_ = {};
  facts_.reset();
}

// All that can be done before the servers have greeted.
void LeaseKeeper::prepare() {
  prepared_ = LockDriverOptions{
      .name = name_,
      .claim = claim_of(draw_client_id(), options_.sharing),
      .terms = {options_.timeout, options_.stop_timeout, claim_lease(options_.timeout), kDriftPpm},
      .who = who_text(who_here(::getpid(), options_.command)),
      .sticky_promises = !options_.fifo,
      .fences = options_.fences,
      .seen = context_.memory.seen(key_file_name(name_))};
  if (options_.work) {
    marks_.leave(prepared_->claim.client, *options_.work);
  }
}

void LeaseKeeper::on_ready() {
  driver_.emplace(connections_.loop(), cluster_, *prepared_,
                  LockDriver::Handlers{.on_event = [this](const Event& event) { on_event(event); },
                                       .save = {},
                                       .on_save_failed = {}});
  if (!given_up_) {
    ask();
  }
}

void LeaseKeeper::ask() { driver_->acquire(options_.try_once ? Patience::once : Patience::wait); }

void LeaseKeeper::on_fatal(const Error& error) { settle(std::unexpected(error)); }

void LeaseKeeper::on_change(std::size_t server) {
  if (settle_refusal()) {
    return;
  }
  if (driver_) {
    driver_->recall(server);
  } else if (cluster_.settled() && !cluster_.group()) {
    const std::string why = cluster_.assembly().waiting_for();
    if (options_.try_once) {
      settle(fail(Errc::no_quorum, why));
    } else {
      waits(why);
    }
  }
}

// Where too few servers are left that could ever agree, no waiting helps.
bool LeaseKeeper::settle_refusal() {
  if (taken_) {
    return false;
  }
  std::size_t refused = 0;
  std::optional<Error> why;
  for (std::size_t server = 0; server < cluster_.size(); ++server) {
    const auto view = cluster_.view(server, name_);
    if (view.down && must_correct(view.down->code)) {
      ++refused;
      why = view.down;
    }
  }
  if (!why || cluster_.size() - refused >= majority(cluster_.size())) {
    return false;
  }
  settle(std::unexpected(*why));
  return true;
}

void LeaseKeeper::on_event(const Event& event) {
  if (const auto* granted = std::get_if<Granted>(&event)) {
    on_granted(*granted);
  } else if (std::holds_alternative<Renewed>(event)) {
    on_renewed();
  } else if (const auto* lost = std::get_if<Lost>(&event)) {
    on_lost(lost->why);
  } else if (std::holds_alternative<Stored>(event)) {
    on_stored({});
  } else if (std::holds_alternative<NotStored>(event)) {
    on_stored(fail(Errc::bad_argument,
                   "not stored: the lock's record has no room for it, or a newer version wrote "
                   "it"));
  } else if (const auto* busy = std::get_if<Busy>(&event)) {
    on_busy(*busy);
  } else if (const auto* closed = std::get_if<Closed>(&event)) {
    on_closed(*closed);
  } else if (std::holds_alternative<NoQuorum>(event)) {
    on_no_quorum();
  } else if (std::holds_alternative<Released>(event)) {
    on_released();
  } else if (std::holds_alternative<AlarmRaised>(event)) {
    on_alarm();
  }
}

void LeaseKeeper::on_granted(const Granted& granted) {
  remember();
  if (given_up_) {
    driver_->release();
    return;
  }
  facts_->note_token(granted.token);
  // The short lease of a lock that was handed over leaves no time to stop in. The renewal that
  // makes it a whole one is on its way.
  if (!granted.inherited) {
    take_over();
  }
  schedule_renewal();
}

void LeaseKeeper::on_renewed() {
  const auto& belief = driver_->session().belief();
  if (!belief) {
    return;
  }
  if (taken_) {
    facts_->note_belief(*belief);
  } else if (!given_up_) {
    take_over();
  }
}

void LeaseKeeper::take_over() {
  const auto& belief = driver_->session().belief();
  INVARIANT(belief);
  taken_ = true;
  if (const auto& record = driver_->session().record(); record && is_unfenced(record->last)) {
    facts_->note_previous(record->last);
  }
  facts_->note_belief(*belief);
  if (acquiring_->settle({})) {
    INVARIANT(facts_->news().arm());
  }
}

// Those of locks with one timeout fall on the same moments: one packet carries them all.
void LeaseKeeper::schedule_renewal() {
  const auto& belief = driver_->session().belief();
  if (!belief) {
    return;
  }
  const Nanoseconds period = belief->lease() / 5;
  const Nanoseconds since = elapsed_for_holder(last_renewal_.value_or(belief->start()), now());
  const auto present = std::chrono::steady_clock::now();
  const auto due = present + std::max(period - since, Nanoseconds(0));
  renewal_.expires_at(
      std::max(present, due - due.time_since_epoch() % (period / kRenewalsTogether)));
  renewal_.async_wait([this, self = shared_from_this()](const boost::system::error_code& error) {
    if (!error && driver_ && driver_->session().belief()) {
      last_renewal_ = now();
      driver_->renew();
      schedule_renewal();
    }
  });
}

void LeaseKeeper::on_lost(const std::string& why) {
  renewal_.cancel();
  if (!taken_) {  // granted, but too late to be of use: given back, and wanted still
    last_reason_ = why;
    driver_->release();
    if (options_.try_once) {
      settle(fail(Errc::no_quorum, why));
    }
    return;
  }
  on_stored(unknown_value());
  if (facts_->end(why)) {
    facts_->news().lost(why);
  }
}

void LeaseKeeper::store(std::string text, milliseconds limit, Done done) {
  if (begin_storing(limit, std::move(done))) {
    driver_->store(std::move(text));
  }
}

void LeaseKeeper::mark_fenced(FencingToken departed, milliseconds limit, Done done) {
  if (begin_storing(limit, std::move(done))) {
    driver_->mark_fenced(departed);
  }
}

bool LeaseKeeper::begin_storing(milliseconds limit, Done done) {
  on_stored(unknown_value());  // of an earlier one that was not waited for to the end
  storing_ = std::make_shared<PendingOutcome>(connections_.loop(), std::move(done));
  if (!driver_ || !driver_->session().belief()) {
    on_stored(fail(Errc::lease_lost, "not held any more"));
    return false;
  }
  storing_->expire_after(limit, [] {
    return Error{Errc::outcome_unknown,
                 "no majority has confirmed the value in time; it may be stored, now or later"};
  });
  return true;
}

void LeaseKeeper::on_stored(Result<void> outcome) {
  if (storing_) {
    std::exchange(storing_, nullptr)->settle(std::move(outcome));
  }
}

void LeaseKeeper::release(milliseconds limit, Done done) {
  releasing_.push_back(std::make_shared<PendingOutcome>(connections_.loop(), std::move(done)));
  if (released_) {
    releasing_.back()->settle(*released_);
    return;
  }
  releasing_.back()->expire_after(limit, [] {
    return Error{Errc::no_quorum,
                 "the release is not confirmed by a majority; the lock becomes free when its "
                 "lease has run out"};
  });
  given_up_ = true;
  renewal_.cancel();
  on_stored(unknown_value());
  if (driver_) {
    driver_->release();
  } else {
    settle_release({});
  }
}

void LeaseKeeper::on_released() {
  if (taken_ || given_up_) {
    settle_release({});
  } else if (!options_.try_once) {
    boost::asio::post(connections_.loop(), [this, self = shared_from_this()] {
      if (driver_ && !given_up_) {
        driver_->acquire(Patience::wait);
      }
    });
  }
}

// True: one of the holders is proven dead, and its release is on its way.
bool LeaseKeeper::release_dead(const Record& record) {
  if (dead_ || given_up_) {
    return dead_ != nullptr;
  }
  for (const Holder& holder : record.holders) {
    if (holder.token <= released_dead_ || !marks_.is_proven_dead(holder.client)) {
      continue;
    }
    released_dead_ = holder.token;  // once
    dead_ = std::make_unique<DeadRelease>(
        connections_.loop(), cluster_, name_, std::nullopt,
        [this, self = shared_from_this(), client = holder.client](bool gone) {
          if (driver_) {
            if (gone) {  // its other locks may have the same control group
              marks_.take_back(client);
            }
            dead_.reset();
            if (options_.try_once && !given_up_ && !taken_) {
              ask();
            }
          }
        });
    dead_->release_dead(holder.client, holder.token);
    return true;
  }
  return false;
}

void LeaseKeeper::on_busy(const Busy& busy) {
  remember();
  if (release_dead(busy.record) && options_.try_once) {
    return;  // asks again then
  }
  const std::string why = held_text(busy.record, claim_of({}, options_.sharing));
  if (options_.try_once) {
    settle(fail(Errc::held_by_other, why));
  } else {
    waits(why, busy.takeover);
  }
}

void LeaseKeeper::on_closed(const Closed& closed) {
  const std::string why = closed_text(closed);
  if (given_up_) {
    settle_release(fail(Errc::held_by_other, why));
  } else if (options_.try_once || !closed.waits) {
    settle(fail(Errc::held_by_other, why));
  } else {
    waits(why);
  }
}

void LeaseKeeper::on_no_quorum() {
  if (settle_refusal() || taken_) {
    return;
  }
  std::string why = "too few lock servers answer";
  for (std::size_t server = 0; server < cluster_.size(); ++server) {
    const auto view = cluster_.view(server, name_);
    if (const std::string text = view.down ? view.down->text : view.fault; !text.empty()) {
      why += "; " + text;
    }
  }
  if (options_.try_once) {
    settle(fail(Errc::no_quorum, why));
  } else {
    waits(why);
  }
}

void LeaseKeeper::on_alarm() {
  const Error twins{Errc::store_damaged,
                    "two clients run with one identity (a cloned machine?); stop one of them"};
  settle(std::unexpected(twins));
  settle_release(std::unexpected(twins));
}

// A process that cannot reach any majority on its first try says so early, but goes on waiting.
void LeaseKeeper::waits(const std::string& why, std::optional<Nanoseconds> takeover) {
  last_reason_ = why;
  if (!options_.on_wait) {
    return;
  }
  Waiting waiting{.why = why, .servers = cluster_.size()};
  for (std::size_t server = 0; server < cluster_.size(); ++server) {
    const auto view = cluster_.view(server, name_);
    waiting.answering += view.greeting && !view.down ? 1U : 0U;
  }
  if (driver_) {
    waiting.before = driver_->session().rank();
  }
  if (takeover) {
    waiting.takeover = std::chrono::ceil<milliseconds>(*takeover);
  }
  options_.on_wait(waiting);
}

Error LeaseKeeper::not_in_time() {
  if (!cluster_.group()) {
    return Error{Errc::no_quorum, cluster_.assembly().waiting_for()};
  }
  return Error{Errc::held_by_other,
               "not acquired in time" + (last_reason_.empty() ? "" : ": " + last_reason_)};
}

void LeaseKeeper::remember() {
  const SeenLock seen = driver_->seen();
  if (std::string text = seen_text(seen); text != remembered_) {
    context_.memory.remember_seen(key_file_name(name_), seen);
    remembered_ = std::move(text);
  }
}

void LeaseKeeper::settle(Result<void> outcome) { acquiring_->settle(std::move(outcome)); }

void LeaseKeeper::settle_release(Result<void> outcome) {
  if (released_) {
    return;
  }
  released_ = outcome;
  for (const auto& one : releasing_) {
    one->settle(outcome);
  }
}

}  // namespace dexlock
