#include "sim/lease_client.hpp"

#include "sim/draw.hpp"

namespace dexlock::sim {

StopLadder LeaseClient::ladder() const {
  Terms now = terms_;
  if (work_.lease.count() > 0) {
    now.lease = std::chrono::duration_cast<std::chrono::milliseconds>(work_.lease);
  }
  return stop_ladder(now);
}

Nanoseconds LeaseClient::true_moment(Nanoseconds since_start) const {
  return clock_.when_holder_counts(work_.start, since_start, around_.now());
}

Nanoseconds LeaseClient::stop_end() const {
  const Nanoseconds last = true_moment(work_.limit);
  return around_.mix.work_to_the_limit ? last : between(around_.random, around_.now(), last);
}

void LeaseClient::on_event(const Event& event) {
  if (const auto* granted = std::get_if<Granted>(&event)) {
    const FencingToken token = granted->token;
    note("is granted token " + std::to_string(token.value));
    around_.counts.add(Seen::grants);
    around_.registers.on_granted(claim_.client, token, around_.now());
    around_.holds.on_granted(index_, Hold{name_, claim_.mode, claim_.weight, token}, floor_,
                             around_.now());
    check_hold();
    on_granted(token);
  } else if (std::holds_alternative<Renewed>(event)) {
    around_.counts.add(Seen::renewals);
    track_lease();
    work_.limit = work_limit();
  } else if (const auto* lost = std::get_if<Lost>(&event)) {
    note("has lost it: " + lost->why);
    around_.counts.add(Seen::losses);
    on_lost(lost->why);
  } else if (std::holds_alternative<Released>(event)) {
    note("has released");
    around_.counts.add(Seen::releases);
    around_.registers.on_released(claim_.client, around_.now());
    on_released();
  } else if (std::holds_alternative<Busy>(event)) {
    around_.counts.add(Seen::busy);
  } else if (std::holds_alternative<NoQuorum>(event)) {
    around_.counts.add(Seen::no_quorum);
  } else if (const auto* closed = std::get_if<Closed>(&event)) {
    around_.counts.add(Seen::closed);
    if (!closed->waits) {
      begin_release();
    }
  } else if (std::holds_alternative<AlarmRaised>(event)) {
    around_.findings.add(around_.now(), "alarm", name_ + " raised the alarm: two values");
  }
}

void LeaseClient::ask() {
  floor_ = around_.holds.highest_told();
  note("asks");
  carry_out(session_->acquire(Patience::wait, clock_now()));
}

void LeaseClient::renew() {
  renew_boot_ = clock_now().boot + renewal_period(terms_);
  if (session_ && session_->belief()) {
    carry_out(session_->renew(clock_now()));
  }
}

void LeaseClient::release_session() {
  note("releases");
  around_.registers.on_releasing(claim_.client, around_.now());
  carry_out(session_->release(clock_now()));
}

}  // namespace dexlock::sim
