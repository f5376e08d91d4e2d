// break, hold and lift: the calls of somebody who has no part in the lock.
#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <utility>

#include "client/clock.hpp"
#include "client/closed_text.hpp"
#include "client/held_text.hpp"
#include "client/one_shot_call.hpp"
#include "client/record_reader.hpp"
#include "client/shown_holders.hpp"
#include "dexlock/maintenance.hpp"
#include "lock/escape.hpp"
#include "lock/lock_name.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kViewLimit{10'000};
constexpr milliseconds kAmendLimit{10'000};
constexpr milliseconds kGiveBackLimit{5'000};

// Looks at the lock, then changes it.
class OperatorCall {
 public:
  static Result<std::unique_ptr<OperatorCall>> open(const std::string& given) {
    const auto name = LockName::parse(given);
    if (!name) {
      return std::unexpected(name.error());
    }
    auto context = ClientContext::load();
    if (!context) {
      return std::unexpected(context.error());
    }
    return std::unique_ptr<OperatorCall>(new OperatorCall(std::move(*context), name->text()));
  }
  OperatorCall(const OperatorCall&) = delete;
  OperatorCall& operator=(const OperatorCall&) = delete;

  Result<std::vector<LockHolder>> view(Remarks& remarks) {
    call_.run(kViewLimit, {.on_ready = [this] { call_.drive_apart().view(); },
                           .on_event =
                               [this](const Event& event) {
                                 if (std::holds_alternative<Viewed>(event)) {
                                   viewed_ = true;
                                   call_.finish();
                                 }
                               },
                           .on_change =
                               [this] {
                                 if (call_.hopeless()) {
                                   call_.finish();
                                 }
                               }});
    call_.collect_remarks(remarks);
    if (call_.error()) {
      return std::unexpected(*call_.error());
    }
    if (!viewed_) {
      return std::unexpected(call_.why_no_quorum());
    }
    call_.remember();
    return shown_holders(call_.driver()->session(), now());
  }

  using Outcome = std::variant<Amended, NotAmended>;

  // Requires: view() has answered.
  Result<Outcome> amend(const Amendment& amendment) {
    std::optional<Outcome> outcome;
    LockDriver& driver = *call_.driver();
    call_.again(
        kAmendLimit, [&] { driver.amend(amendment); },
        [&](const Event& event) {
          if (const auto* amended = std::get_if<Amended>(&event)) {
            outcome = *amended;
            call_.finish();
          } else if (const auto* declined = std::get_if<NotAmended>(&event)) {
            outcome = *declined;
            call_.finish();
          } else if (std::holds_alternative<AlarmRaised>(event)) {
            call_.fail_with(Error{Errc::store_damaged,
                                  "two values were proposed under one ballot: two clients run with "
                                  "one identity (a cloned machine?); this lock cannot be used"});
          }
        });
    if (call_.error()) {
      return std::unexpected(*call_.error());
    }
    if (outcome) {
      return *outcome;
    }
    const Error why = call_.why_no_quorum();
    if (driver.session().may_be_amended()) {
      return fail(
          Errc::outcome_unknown,
          "not known whether it was done; look with show-lock, or do it again: " + why.text);
    }
    return std::unexpected(why);
  }

  [[nodiscard]] OneShotCall& call() { return call_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  OperatorCall(ClientContext context, std::string name)
      : context_(std::move(context)), name_(std::move(name)), call_(context_, name_) {}

  ClientContext context_;
  std::string name_;
  OneShotCall call_;
  bool viewed_ = false;
};

std::string why_not(const NotAmended& declined) {
  return closed_text(Closed{.declined = declined.declined, .record = declined.record});
}

// Waits on a lock that is on hold, and evicts who is dead, until nobody holds it any more.
class Drain {
 public:
  Drain(OneShotCall& call, const std::string& name,
        const std::function<void(const std::string&)>& on_wait)
      : call_(call),
        on_wait_(on_wait),
        reader_(call.loop(), call.cluster(), name,
                [this](const std::optional<Record>& record) { on_record(record); }) {}
  Drain(const Drain&) = delete;
  Drain& operator=(const Drain&) = delete;

  Result<ChangeOutcome> run(milliseconds limit) {
    call_.again(
        limit, [this] { call_.drive_apart(false).acquire(Patience::wait); },
        [this](const Event& event) { on_event(event); });
    if (call_.error()) {
      return std::unexpected(*call_.error());
    }
    if (lifted_) {
      call_.again(
          kGiveBackLimit, [this] { call_.driver()->release(); },
          [this](const Event& event) {
            if (std::holds_alternative<Released>(event)) {
              call_.finish();
            }
          });
      return ChangeOutcome{
          .done = false, .reason = "somebody has lifted the hold meanwhile", .holders = {}};
    }
    if (drained_) {
      return ChangeOutcome{.done = true, .reason = {}, .holders = {}};
    }
    return ChangeOutcome{
        .done = false,
        .reason = latest_ ? "on hold, but still " + held_text(*latest_, {})
                          : "on hold, but too few lock servers tell whether it is held",
        .holders = latest_ ? shown_holders(*latest_) : std::vector<LockHolder>{}};
  }

 private:
  void on_event(const Event& event) {
    if (std::holds_alternative<Granted>(event)) {
      lifted_ = true;
      call_.finish();
    } else if (const auto* busy = std::get_if<Busy>(&event)) {
      look_at(busy->record);
    } else if (const auto* closed = std::get_if<Closed>(&event)) {
      look_at(closed->record);
    }
  }

  // That nobody holds it counts only if a majority says so.
  void look_at(const Record& record) {
    latest_ = record;
    if (record.is_free()) {
      reader_.read();
    } else if (on_wait_) {
      on_wait_(held_text(record, {}));
    }
  }

  void on_record(const std::optional<Record>& record) {
    if (record && record->is_free()) {
      drained_ = true;
      call_.finish();
    }
  }

  OneShotCall& call_;
  const std::function<void(const std::string&)>& on_wait_;
  RecordReader reader_;
  std::optional<Record> latest_;
  bool lifted_ = false;
  bool drained_ = false;
};

}  // namespace

Result<std::vector<LockHolder>> lock_holders(const std::string& name, Remarks& remarks) {
  auto call = OperatorCall::open(name);
  if (!call) {
    return std::unexpected(call.error());
  }
  return (*call)->view(remarks);
}

// A token that was broken just now, by this call or another, counts as done. So does one that is
// gone after this call has sent its change: which of the two ended it nobody can tell.
Result<ChangeOutcome> break_lock(const std::string& name, std::uint64_t token, Remarks& remarks) {
  auto call = OperatorCall::open(name);
  if (!call) {
    return std::unexpected(call.error());
  }
  if (const auto seen = (*call)->view(remarks); !seen) {
    return std::unexpected(seen.error());
  }
  const auto outcome = (*call)->amend(BreakHolder{FencingToken{token}});
  if (!outcome) {
    return std::unexpected(outcome.error());
  }
  const auto* declined = std::get_if<NotAmended>(&*outcome);
  if (declined != nullptr && declined->declined != Declined::not_held) {
    return ChangeOutcome{
        .done = false, .reason = why_not(*declined), .holders = shown_holders(declined->record)};
  }
  const auto* amended = std::get_if<Amended>(&*outcome);
  const Record& record = amended != nullptr ? amended->record : declined->record;
  const bool was_broken = record.last && record.last->token == FencingToken{token} &&
                          record.last->how == EndKind::broken;
  ChangeOutcome shown{.done = (amended != nullptr && amended->sent) || was_broken,
                      .reason = {},
                      .holders = shown_holders(record)};
  if (!shown.done) {
    shown.reason = "nobody holds it with token " + std::to_string(token) + "; it is " +
                   (record.is_free() ? "free" : held_text(record, {}));
  }
  return shown;
}

Result<ChangeOutcome> hold_lock(const HoldOptions& options, Remarks& remarks) {
  if (std::ranges::any_of(options.note, [](char c) { return (c >= 0 && c < ' ') || c == 127; })) {
    return fail(Errc::bad_argument, "the note must be one line of text");
  }
  if (escape_text(options.note).size() > kNoteBytesMax) {
    return fail(Errc::bad_argument, "the note is too long: at most " +
                                        std::to_string(kNoteBytesMax) +
                                        " bytes, where a blank counts as three");
  }
  auto call = OperatorCall::open(options.name);
  if (!call) {
    return std::unexpected(call.error());
  }
  if (const auto seen = (*call)->view(remarks); !seen) {
    return std::unexpected(seen.error());
  }
  const auto outcome = (*call)->amend(PutOnHold{options.note});
  if (!outcome) {
    return std::unexpected(outcome.error());
  }
  if (const auto* declined = std::get_if<NotAmended>(&*outcome)) {
    return ChangeOutcome{
        .done = false, .reason = why_not(*declined), .holders = shown_holders(declined->record)};
  }
  const Record& record = std::get<Amended>(*outcome).record;
  if (options.wait && !record.is_free()) {
    return Drain((*call)->call(), (*call)->name(), options.on_wait).run(*options.wait);
  }
  return ChangeOutcome{.done = true, .reason = {}, .holders = shown_holders(record)};
}

Result<ChangeOutcome> lift_hold(const std::string& name, Remarks& remarks) {
  auto call = OperatorCall::open(name);
  if (!call) {
    return std::unexpected(call.error());
  }
  if (const auto seen = (*call)->view(remarks); !seen) {
    return std::unexpected(seen.error());
  }
  const auto outcome = (*call)->amend(LiftHold{});
  if (!outcome) {
    return std::unexpected(outcome.error());
  }
  if (const auto* declined = std::get_if<NotAmended>(&*outcome)) {
    return ChangeOutcome{
        .done = false, .reason = why_not(*declined), .holders = shown_holders(declined->record)};
  }
  return ChangeOutcome{
      .done = true, .reason = {}, .holders = shown_holders(std::get<Amended>(*outcome).record)};
}

}  // namespace dexlock
