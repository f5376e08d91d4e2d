#include "client/operator_call.hpp"

#include <utility>

#include "client/clock.hpp"
#include "client/closed_text.hpp"
#include "client/held_text.hpp"
#include "client/shown_holders.hpp"
#include "lock/lock_name.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kViewLimit{10'000};
constexpr milliseconds kAmendLimit{10'000};
constexpr milliseconds kUndoLimit{5'000};

}  // namespace

Result<std::unique_ptr<OperatorCall>> OperatorCall::open(const std::string& given) {
  auto context = ClientContext::load();
  if (!context) {
    return std::unexpected(context.error());
  }
  return open(given, std::move(*context));
}

Result<std::unique_ptr<OperatorCall>> OperatorCall::open(const std::string& given,
                                                         ClientContext context) {
  const auto name = LockName::parse(given);
  if (!name) {
    return std::unexpected(name.error());
  }
  return std::unique_ptr<OperatorCall>(new OperatorCall(std::move(context), name->text()));
}

Result<std::vector<LockHolder>> OperatorCall::view(Remarks& remarks) {
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

Result<OperatorCall::Outcome> OperatorCall::amend(const Amendment& amendment) {
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
    return fail(Errc::outcome_unknown,
                "not known whether it was done; look with show-lock, or do it again: " + why.text);
  }
  return std::unexpected(why);
}

std::string why_not(const NotAmended& declined) {
  return closed_text(Closed{.declined = declined.declined, .record = declined.record});
}

Drain::Drain(OneShotCall& call, const std::string& name,
             const std::function<void(const std::string&)>& on_wait)
    : call_(call),
      on_wait_(on_wait),
      reader_(call.loop(), call.cluster(), name,
              [this](const std::optional<Record>& record) { on_record(record); }) {}

Result<ChangeOutcome> Drain::run(milliseconds limit) {
  call_.again(
      limit, [this] { call_.drive_apart(false).acquire(Patience::wait); },
      [this](const Event& event) { on_event(event); });
  if (call_.error()) {
    return std::unexpected(*call_.error());
  }
  if (lifted_) {
    call_.again(
        kUndoLimit, [this] { call_.driver()->release(); },
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
  return ChangeOutcome{.done = false,
                       .reason = latest_
                                     ? "on hold, but still " + held_text(*latest_, {})
                                     : "on hold, but too few lock servers tell whether it is held",
                       .holders = latest_ ? shown_holders(*latest_) : std::vector<LockHolder>{}};
}

void Drain::on_event(const Event& event) {
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
void Drain::look_at(const Record& record) {
  latest_ = record;
  if (record.is_free()) {
    reader_.read();
  } else if (on_wait_) {
    on_wait_(held_text(record, {}));
  }
}

void Drain::on_record(const std::optional<Record>& record) {
  if (record && record->is_free()) {
    drained_ = true;
    call_.finish();
  }
}

}  // namespace dexlock
