// handover: the holder gives the lock to somebody who waits for it.
#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "client/clock.hpp"
#include "client/closed_text.hpp"
#include "client/held_text.hpp"
#include "client/one_shot_call.hpp"
#include "client/owned_lock.hpp"
#include "client/shown_holders.hpp"
#include "dexlock/maintenance.hpp"
#include "lock/quoted_text.hpp"

namespace dexlock {
namespace {

constexpr std::chrono::milliseconds kHandOverLimit{10'000};

// Found by its whole name, or by a part of it that fits nobody else.
Result<ClientId> find_waiter(const std::vector<Ticket>& waiting, const std::string& wanted) {
  std::vector<const Ticket*> found;
  for (const Ticket& ticket : waiting) {
    if (ticket.who == wanted || ticket.claim.client.text == wanted) {
      return ticket.claim.client;
    }
    if (ticket.who.find(wanted) != std::string::npos) {
      found.push_back(&ticket);
    }
  }
  if (found.size() == 1) {
    return found.front()->claim.client;
  }
  std::string shown;
  for (const Ticket& ticket : waiting) {
    shown += (shown.empty() ? ": " : ", ") +
             quoted_text(ticket.who.empty() ? ticket.claim.client.text : ticket.who);
  }
  return fail(Errc::held_by_other,
              (found.empty() ? "nobody that waits is called " : "several that wait are called ") +
                  quoted_text(wanted) + "; who waits" + (shown.empty() ? ": nobody" : shown));
}

class HandOverCall {
 public:
  HandOverCall(OwnedLock& owned, const std::optional<std::string>& to)
      : owned_(owned), to_(to), call_(owned.context, owned.name) {}
  HandOverCall(const HandOverCall&) = delete;
  HandOverCall& operator=(const HandOverCall&) = delete;

  Result<ChangeOutcome> run(Remarks& remarks) {
    const Saved& saved = owned_.saved;
    if (saved.token.value == 0 || !Belief(saved.start, saved.lease).holds(now())) {
      return not_done("this owner does not hold the lock");
    }
    call_.run(kHandOverLimit, {.on_ready = [this] { on_ready(); },
                               .on_event = [this](const Event& event) { on_event(event); },
                               .on_change =
                                   [this] {
                                     if (call_.hopeless() && !may_have_left()) {
                                       call_.finish();
                                     }
                                   }});
    call_.remember();
    call_.collect_remarks(remarks);
    if (call_.error()) {
      return std::unexpected(*call_.error());
    }
    if (outcome_) {
      return *outcome_;
    }
    const Error why = call_.why_no_quorum();
    if (may_have_left()) {
      return fail(
          Errc::outcome_unknown,
          "given up, but not known whether it was handed over; look with show-lock: " + why.text);
    }
    return fail(why.code, why.text + "; it is held as before");
  }

 private:
  static ChangeOutcome not_done(std::string reason) {
    return ChangeOutcome{.done = false, .reason = std::move(reason), .holders = {}};
  }

  void end_with(ChangeOutcome outcome) {
    outcome_ = std::move(outcome);
    call_.finish();
  }

  // The belief ends before a value leaves.
  [[nodiscard]] bool may_have_left() {
    return call_.driver() != nullptr && !call_.driver()->session().belief();
  }

  void on_ready() {
    if (owned_.saved.group != call_.cluster().group()->id) {
      end_with(not_done("this owner holds the lock of this name on other lock servers"));
    } else if (call_.cluster().has_files_store()) {
      end_with(
          not_done("nobody can wait in line where a lock server is reached by ssh; "
                   "release-lock it"));
    } else {
      LockDriver& driver =
          call_.drive(Claim{.client = owned_.saved.client},
                      Terms{.lease = std::chrono::milliseconds(1)}, {}, owned_.who(), owned_.state);
      driver.resume(owned_.saved);
      if (driver.session().holds(now())) {
        driver.view();
      } else {
        end_with(not_done("lost: its lease has run out"));
      }
    }
  }

  void on_event(const Event& event) {
    if (std::holds_alternative<Viewed>(event)) {
      on_viewed();
    } else if (const auto* declined = std::get_if<NotHandedOver>(&event)) {
      end_with(not_done(why(*declined)));
    } else if (const auto* handed = std::get_if<HandedOver>(&event)) {
      heirs_ = shown_heirs(handed->record);
    } else if (std::holds_alternative<Released>(event)) {
      on_released();
    } else if (const auto* lost = std::get_if<Lost>(&event)) {
      end_with(not_done("lost: " + lost->why));
    } else if (std::holds_alternative<AlarmRaised>(event)) {
      call_.fail_with(Error{Errc::store_damaged,
                            "two values were proposed under one ballot: two clients run with one "
                            "identity (a cloned machine?); this lock cannot be used"});
    }
  }

  void on_viewed() {
    std::optional<ClientId> heir;
    if (to_) {
      const auto found = find_waiter(call_.driver()->session().others_waiting(), *to_);
      if (!found) {
        end_with(not_done(found.error().text));
        return;
      }
      heir = *found;
    }
    call_.driver()->hand_over(heir);
  }

  [[nodiscard]] std::string why(const NotHandedOver& declined) const {
    if (declined.declined != Declined::held || declined.record.gate.state != GateState::open) {
      return closed_text(Closed{.declined = declined.declined, .record = declined.record});
    }
    return declined.record.holders.size() > 1 ? "nobody that waits can have it beside the others"
           : to_                              ? "that one does not wait any more"
                                              : "nobody waits for it";
  }

  [[nodiscard]] std::vector<LockHolder> shown_heirs(const Record& record) const {
    std::vector<LockHolder> heirs = shown_holders(record);
    std::erase_if(
        heirs, [&](const LockHolder& holder) { return holder.token <= owned_.saved.token.value; });
    return heirs;
  }

  void on_released() {
    owned_.state.forget();
    if (heirs_) {
      end_with(ChangeOutcome{.done = true, .reason = {}, .holders = *heirs_});
      return;
    }
    call_.fail_with(Error{Errc::outcome_unknown,
                          "given up, but not known to whom it went; look with show-lock"});
  }

  OwnedLock& owned_;
  const std::optional<std::string>& to_;
  OneShotCall call_;
  std::optional<std::vector<LockHolder>> heirs_;
  std::optional<ChangeOutcome> outcome_;
};

}  // namespace

Result<ChangeOutcome> hand_over_lock(const OneShotOptions& options,
                                     const std::optional<std::string>& to, Remarks& remarks) {
  if (to && to->find_first_not_of(' ') == std::string::npos) {
    return fail(Errc::bad_argument,
                "--to is empty, which fits all who wait; leave it out for who is next");
  }
  auto owned = OwnedLock::open(options, kHandOverLimit);
  if (!owned) {
    return std::unexpected(owned.error());
  }
  return HandOverCall(*owned, to).run(remarks);
}

}  // namespace dexlock
