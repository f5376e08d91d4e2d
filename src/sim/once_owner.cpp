#include "sim/once_owner.hpp"

#include <algorithm>
#include <array>

#include "sim/draw.hpp"

namespace dexlock::sim {
namespace {

constexpr Nanoseconds kInstantly = std::chrono::microseconds(1);
constexpr Nanoseconds kShortestLimit = std::chrono::seconds(5);
constexpr std::array kCalls{"between calls", "renewing", "acquiring", "releasing"};

}  // namespace

OnceOwner::OnceOwner(std::size_t index, Surroundings& around) : Actor(index, around) {
  step_ = between(around.random, Nanoseconds(terms_.lease) / 12, Nanoseconds(terms_.lease) / 3);
  until_ = between(around.random, Nanoseconds(0), around.mix.think_max);
  constexpr std::chrono::milliseconds kMillisecond{1};
  terms_.claim = std::max(terms_.claim, std::chrono::ceil<std::chrono::milliseconds>(2 * step_) +
                                            std::max(terms_.lease / 10, kMillisecond));
}

std::string OnceOwner::state_text() const { return kCalls[static_cast<std::size_t>(call_)]; }

std::optional<Nanoseconds> OnceOwner::own_timer() const {
  if (satisfied_) {
    return std::nullopt;
  }
  return until_;
}

void OnceOwner::on_own_timer() {
  if (call_ != Call::none) {
    time_is_up();
  } else {
    call();
  }
}

void OnceOwner::save() { file_ = saved_text(session_->saved()); }

void OnceOwner::read_file() {
  if (file_ && happens(around_.random, around_.healed ? 0 : around_.mix.lose_file)) {
    note("finds its file gone");
    around_.counts.add(Seen::files_lost);
    file_.reset();
  }
  if (file_ && happens(around_.random, around_.healed ? 0 : around_.mix.tear_file)) {
    note("finds its file torn");
    around_.counts.add(Seen::files_torn);
    file_before_ = *file_;
    file_ = file_->substr(0, around_.random.below(file_->size() + 1));
  }
}

// A process of its own for each call.
void OnceOwner::open_session() {
  read_file();
  auto saved = file_ ? parse_saved(*file_) : std::nullopt;
  if (!saved && around_.planted(Plant::torn_file_believed)) {
    saved = parse_saved(file_before_);
    if (saved) {
      saved->start = clock_now();
    }
  }
  start_process(saved ? saved->client : fresh_client());
  if (saved) {
    session_->resume(*saved);
  }
  for (const auto& [where, sighting] : sightings_) {
    session_->recall(where.first, where.second, sighting);
  }
  for (const TicketSighting& ticket : tickets_) {
    session_->recall(ticket);
  }
}

void OnceOwner::call() {
  around_.counts.add(Seen::calls);
  open_session();
  until_ = around_.now() + std::max(3 * step_, kShortestLimit);
  const bool release = release_due_ || (work_.on && around_.now() >= hold_until_);
  if (release) {
    end_work();
    release_due_ = true;
    call_ = Call::release;
    note("calls release");
    around_.registers.on_releasing(claim_.client, around_.now());
    carry_out(session_->release(clock_now()));
    return;
  }
  const Instant now = clock_now();
  if (session_->holds(now)) {
    check_hold();
    call_ = Call::renew;
    note("calls again, holding token " + std::to_string(session_->token().value));
    carry_out(session_->renew(now));
    return;
  }
  end_work();
  call_ = Call::acquire;
  floor_ = around_.holds.highest_told();
  note("calls");
  carry_out(session_->acquire(Patience::once, now));
}

void OnceOwner::remember_sightings() {
  if (!session_) {
    return;
  }
  tickets_ = session_->tickets_seen();
  sightings_.clear();
  for (const auto& [watched, observer] : session_->observers()) {
    const auto& seen = observer.sightings();
    for (std::size_t server = 0; server < seen.size(); ++server) {
      if (seen[server]) {
        sightings_[{watched, server}] = *seen[server];
      }
    }
  }
}

void OnceOwner::leave(Nanoseconds pause) {
  remember_sightings();
  end_process();
  call_ = Call::none;
  until_ = around_.now() + pause;
}

// The call ends with 0: the script holds the lock until the belief reported ends, or the next call.
void OnceOwner::succeed() {
  track_lease();
  work_.limit = session_->belief()->lease();
  plain_beat_ += 1;
  if (!work_.on) {
    begin_work(session_->token());
  }
  leave(step_);
}

// A script that has had enough calls release, without knowing whether there is anything to release.
void OnceOwner::give_up_sometimes() {
  constexpr std::uint32_t kOften = 100'000;
  release_due_ = release_due_ || (!around_.healed && happens(around_.random, kOften));
}

void OnceOwner::fail_call() {
  note("is told that it does not hold");
  end_work();
  give_up_sometimes();
  leave(step_);
}

void OnceOwner::time_is_up() {
  const Instant now = clock_now();
  const bool enough =
      session_ && session_->belief() && session_->belief()->remaining(now) >= 2 * step_;
  if (call_ == Call::renew && enough) {
    succeed();
  } else if (call_ == Call::release) {
    leave(step_);
  } else {
    fail_call();
  }
}

void OnceOwner::on_granted(FencingToken token) {
  note("is granted token " + std::to_string(token.value));
  around_.counts.add(Seen::grants);
  around_.registers.on_granted(claim_.client, token, around_.now());
  around_.holds.on_granted(index_, Hold{name_, claim_.mode, claim_.weight, token}, floor_,
                           around_.now());
  check_hold();
  served_ = served_ || around_.healed;
  const Nanoseconds longest = around_.healed ? Nanoseconds(terms_.lease) / 4 : around_.mix.hold_max;
  hold_until_ = around_.now() + between(around_.random, kInstantly, longest);
  succeed();
}

void OnceOwner::on_event(const Event& event) {
  if (const auto* granted = std::get_if<Granted>(&event)) {
    on_granted(granted->token);
  } else if (std::holds_alternative<Renewed>(event)) {
    around_.counts.add(Seen::renewals);
    if (call_ == Call::renew) {
      succeed();
    }
  } else if (const auto* lost = std::get_if<Lost>(&event)) {
    note("has lost it: " + lost->why);
    around_.counts.add(Seen::losses);
    fail_call();
  } else if (std::holds_alternative<Released>(event)) {
    on_released();
  } else if (std::holds_alternative<Busy>(event)) {
    around_.counts.add(Seen::busy);
    fail_call();
  } else if (std::holds_alternative<NoQuorum>(event)) {
    around_.counts.add(Seen::no_quorum);
    if (call_ == Call::acquire) {
      fail_call();
    }
  } else if (std::holds_alternative<Closed>(event)) {
    around_.counts.add(Seen::closed);
    fail_call();
  } else if (std::holds_alternative<AlarmRaised>(event)) {
    around_.findings.add(around_.now(), "alarm", name_ + " raised the alarm: two values");
  }
}

void OnceOwner::on_released() {
  note("has released");
  around_.counts.add(Seen::releases);
  around_.registers.on_released(claim_.client, around_.now());
  release_due_ = false;
  satisfied_ = served_;
  leave(around_.healed ? step_ : between(around_.random, kInstantly, around_.mix.think_max));
}

// The call was killed: its script sees a failure.
void OnceOwner::on_killed() {
  call_ = Call::none;
  give_up_sometimes();
  until_ = around_.now() + step_;
}

void OnceOwner::on_rebooted() {
  call_ = Call::none;
  release_due_ = false;
  until_ = around_.now() + step_;
  if (!around_.planted(Plant::file_of_earlier_boot)) {
    file_.reset();
  }
  if (!around_.planted(Plant::sightings_of_earlier_boot)) {
    sightings_.clear();
    tickets_.clear();
  }
}

void OnceOwner::on_healed() {
  hold_until_ = std::min(hold_until_, around_.now() + Nanoseconds(terms_.lease) / 4);
  if (call_ == Call::none) {
    until_ = std::min(until_, around_.now() + step_);
  }
}

}  // namespace dexlock::sim
