// break, hold and lift: the calls of somebody who has no part in the lock.
#include <algorithm>
#include <optional>
#include <utility>

#include "client/held_text.hpp"
#include "client/operator_call.hpp"
#include "client/shown_holders.hpp"
#include "dexlock/maintenance.hpp"
#include "lock/escape.hpp"
#include "lock/migration.hpp"

namespace dexlock {

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
  if (is_note_of_migration(options.note)) {
    return fail(Errc::bad_argument,
                "the note must not begin as that of a lock that is moving does");
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

Result<ChangeOutcome> lift_hold(const std::string& name, Remarks& remarks, bool by_force) {
  auto call = OperatorCall::open(name);
  if (!call) {
    return std::unexpected(call.error());
  }
  if (const auto seen = (*call)->view(remarks); !seen) {
    return std::unexpected(seen.error());
  }
  const auto outcome = (*call)->amend(LiftHold{by_force ? Lift::arrived : Lift::by_hand});
  if (!outcome) {
    return std::unexpected(outcome.error());
  }
  if (const auto* declined = std::get_if<NotAmended>(&*outcome)) {
    const std::string remedy =
        is_arriving(declined->record.gate)
            ? "; finish that with dex-lock migrate, or give it up: lift the hold on the old lock "
              "servers, then here with --force"
            : "";
    return ChangeOutcome{.done = false,
                         .reason = why_not(*declined) + remedy,
                         .holders = shown_holders(declined->record)};
  }
  return ChangeOutcome{
      .done = true, .reason = {}, .holders = shown_holders(std::get<Amended>(*outcome).record)};
}

}  // namespace dexlock
