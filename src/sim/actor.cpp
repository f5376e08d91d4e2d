#include "sim/actor.hpp"

#include <algorithm>
#include <utility>

#include "lock/quorum.hpp"
#include "sim/draw.hpp"
#include "sim/draw_clock.hpp"
#include "sim/etcd_cluster.hpp"

namespace dexlock::sim {

Actor::Actor(std::size_t index, Surroundings& around)
    : index_(index),
      around_(around),
      name_("c" + std::to_string(index)),
      clock_(draw_uptime(around), draw_rates(around)),
      proposals_({.servers = around.mix.servers, .forgets = around.mix.members != 0},
                 around.registers, around.linearizable) {
  const Mix& mix = around.mix;
  const auto times = between(around.random, 1U, mix.lease_times_max);
  terms_ = Terms{.lease = mix.lease * times,
                 .stop = mix.stop * times,
                 .claim = mix.lease / 3,
                 .drift_ppm = kDriftPpm};
  if (mix.modes == ModeKind::shared_too && happens(around.random, 600'000)) {
    claim_.mode = Mode::shared;
  } else if (mix.modes == ModeKind::semaphore) {
    claim_.mode = Mode::semaphore;
    claim_.capacity = mix.capacity;
    claim_.weight = between(around.random, 1U, mix.capacity);
  }
}

Instant Actor::clock_now() const { return clock_.at(around_.now()); }

void Actor::note(const std::string& text) {
  if (around_.log.tracing()) {
    around_.log.line(around_.now(), name_ + "." + std::to_string(process_) + ' ' + text);
  }
}

std::string Actor::describe() const {
  return name_ + " is " + state_text() + (paused_ ? ", paused" : "") +
         (work_.on ? ", at work with token " + std::to_string(work_.token.value) : "");
}

ClientId Actor::fresh_client() {
  return ClientId{name_ + "x" + std::to_string(around_.random.below(1'000'000'000))};
}

void Actor::start_process(ClientId client) {
  ++process_;
  claim_.client = std::move(client);
  const auto bits = [&] { return static_cast<std::uint32_t>(around_.random.below(1U << 30U)); };
  ProposerId id{bits(), bits()};
  if (around_.planted(Plant::proposer_id_shared)) {
    id = ProposerId{7, 7};
  } else if (around_.planted(Plant::proposer_id_kept)) {
    kept_id_ = kept_id_.value_or(id);
    id = *kept_id_;
  }
  const bool half = around_.planted(Plant::majority_off_by_one);
  setup_ = SessionSetup{
      .servers = around_.mix.servers - (half ? 1 : 0),
      .epoch = Epoch{1},
      .proposer = id,
      .claim = claim_,
      .terms = terms_,
      .who = name_,
      .seed = around_.random.next(),
      .sticky_promises = around_.mix.sticky_promises || around_.planted(Plant::release_asks_nobody),
      .fast_ballots = around_.mix.fast_ballots,
      .queues = around_.mix.queues,
      .step = step(),
      .poll_max = around_.mix.poll_max,
      .attempt_limit = around_.mix.attempt_limit};
  session_ = std::make_unique<Session>(setup_);
  last_proposal_ = 0;
  known_grant_ = Ballot{};
  proposals_.on_new_session(name_ + '.' + std::to_string(process_));
}

void Actor::end_process() {
  session_.reset();
  ++process_;
}

std::optional<Hold> Actor::hold() const {
  Hold held{name_, claim_.mode, claim_.weight, work_.token};
  if (work_.on && !work_.frozen) {
    return held;
  }
  if (session_ && session_->holds(clock_now())) {
    held.token = session_->token();
    return held;
  }
  return std::nullopt;
}

void Actor::check_hold() {
  const auto mine = hold();
  if (!mine) {
    return;
  }
  std::vector<Hold> others;
  for (const Actor* actor : around_.actors) {
    if (actor == this) {
      continue;
    }
    if (auto held = actor->hold()) {
      others.push_back(std::move(*held));
    }
  }
  around_.holds.check_beside(*mine, others, around_.now());
}

void Actor::begin_work(FencingToken token) {
  work_.on = true;
  work_.frozen = paused_;
  work_.token = token;
  note("works with token " + std::to_string(token.value));
  track_lease();
  check_hold();
}

void Actor::end_work() {
  if (work_.on) {
    note("stops its work");
  }
  work_.on = false;
}

void Actor::track_lease() {
  if (session_ && session_->belief()) {
    work_.start = session_->belief()->start();
    work_.lease = session_->belief()->lease();
  }
}

void Actor::guard() {
  if (!work_.on || work_.frozen) {
    return;
  }
  if (elapsed_for_holder(work_.start, clock_now()) >= work_.limit) {
    around_.counts.add(Seen::work_stopped_by_guard);
    end_work();
    if (!paused_) {
      on_work_stopped();
    }
  }
}

void Actor::arm() {
  std::optional<Nanoseconds> next;
  const auto consider = [&](Nanoseconds at) { next = next ? std::min(*next, at) : at; };
  const Nanoseconds now = around_.now();
  if (work_.on && !work_.frozen) {
    consider(clock_.when_holder_counts(work_.start, work_.limit, now));
  }
  if (!paused_) {
    if (session_) {
      if (const auto wake = session_->wake_at()) {
        consider(clock_.when_boot_shows(*wake, now));
      }
    }
    if (const auto own = own_timer()) {
      consider(std::max(*own, now));
    }
  }
  if (next && (!armed_ || *next < *armed_)) {
    armed_ = *next;
    around_.schedule.add(*next, EventKind::actor_timer, static_cast<std::uint32_t>(index_));
  }
}

void Actor::on_timer() {
  if (armed_ && *armed_ <= around_.now()) {
    armed_.reset();
  }
  guard();
  if (!paused_) {
    process_timers();
  }
  arm();
}

void Actor::process_timers() {
  if (session_) {
    const auto wake = session_->wake_at();
    const Instant now = clock_now();
    if (wake && *wake <= now.boot) {
      react(session_->on_wake(now));
    }
  }
  const auto own = own_timer();
  if (own && *own <= around_.now()) {
    on_own_timer();
  }
}

void Actor::on_packet(const Packet& packet) {
  Arrived arrived{packet.process, packet.listed_as, packet.attempt, packet.sent, Reply{}};
  if (paused_) {
    if (packet.process == process_) {
      arrived.reply = packet.reply;
      inbox_.push_back(std::move(arrived));
    }
    return;
  }
  guard();
  if (packet.process == process_ && session_) {
    arrived.reply = packet.reply;
    hear(arrived);
    arm();
  }
}

namespace {

bool is_fast_vote(const Reply& reply) {
  const auto* answer = std::get_if<Answer>(&reply);
  return answer != nullptr && answer->verdict == Verdict::accepted &&
         answer->state.accepted.fast != 0;
}

}  // namespace

void Actor::hear(const Arrived& arrived) {
  if (arrived.process != process_ || !session_) {
    return;
  }
  AttemptId attempt = arrived.attempt;
  Instant now = clock_now();
  if (around_.plant != Plant::none) {
    if (around_.planted(Plant::observed_from_sending) && !session_->belief()) {
      now = arrived.sent;
    } else if (around_.planted(Plant::stale_reply_counted) && attempt < 0x40000000) {
      attempt = last_proposal_;
    } else if (around_.planted(Plant::ack_counted_twice) ||
               (around_.planted(Plant::fast_majority) && is_fast_vote(arrived.reply))) {
      const auto process = process_;
      hear_as((arrived.server + 1) % setup_.servers, attempt, arrived.reply, now);
      if (process != process_ || !session_) {
        return;
      }
    }
  }
  hear_as(arrived.server, attempt, arrived.reply, now);
}

void Actor::hear_as(std::size_t server, AttemptId attempt, const Reply& reply, Instant now) {
  proposals_.on_heard(server, attempt, reply);
  const Reply heard = around_.planted(Plant::claim_never_claimed) ? as_unclaimed(reply) : reply;
  const auto* news = attempt == kNews ? std::get_if<Answer>(&heard) : nullptr;
  SessionOutput output = news != nullptr ? session_->on_news(server, *news, now)
                                         : session_->on_reply(server, attempt, heard, now);
  note_known();
  react(std::move(output));
  if (around_.planted(Plant::ticket_taken_for_grant)) {
    take_ticket_for_grant(reply);
  }
}

void Actor::note_known() {
  const Ballot& ballot = session_->granted_at();
  OpId op;
  if (ballot.fast != 0) {
    const Saved saved = session_->saved();
    const Holder* mine = saved.record ? saved.record->find(claim_.client) : nullptr;
    op = mine != nullptr ? mine->op : op;
  }
  proposals_.on_known(ballot, op, around_.now());
}

void Actor::react(SessionOutput output) {
  if (carry_out(std::move(output)) && around_.planted(Plant::confirm_counts_as_renewal) &&
      session_ && session_->belief()) {
    const Ballot grant = session_->saved().granted_at;
    if (known_grant_ != Ballot{} && grant != known_grant_ && work_.on) {
      restart_lease_now();
    }
    known_grant_ = grant;
  }
}

bool Actor::killed_now() {
  if (around_.healed || !happens(around_.random, around_.mix.kill_in_output)) {
    return false;
  }
  kill();
  return true;
}

bool Actor::save_unless_killed() {
  if (killed_now()) {
    return false;
  }
  save();
  return !killed_now();
}

bool Actor::carry_out(SessionOutput output) {
  const std::uint32_t process = process_;
  const bool late = around_.planted(Plant::saved_after_sending);
  if (output.save && !late && !save_unless_killed()) {
    return false;
  }
  for (const Send& each : output.sends) {
    if (!send(each)) {
      return false;
    }
  }
  if (output.save && late && !save_unless_killed()) {
    return false;
  }
  track_lease();
  for (const Event& event : output.events) {
    if (process != process_ || !session_) {
      return false;
    }
    const auto* granted = std::get_if<Granted>(&event);
    if (granted != nullptr && granted->inherited && session_->belief() &&
        around_.planted(Plant::inherited_from_learning)) {
      restart_lease_now();
    }
    const bool grown = granted != nullptr || std::holds_alternative<Renewed>(event);
    if (grown && around_.planted(Plant::lease_from_reply) && session_->belief()) {
      restart_lease_now();
    }
    on_event(event);
  }
  track_lease();
  return process == process_ && session_ != nullptr;
}

bool Actor::send(const Send& send) {
  if (killed_now()) {
    return false;
  }
  if (send.attempt < 0x40000000) {
    last_proposal_ = send.attempt;
  }
  Packet packet{.actor = static_cast<std::uint32_t>(index_),
                .process = process_,
                .server = send.server,
                .listed_as = send.server,
                .attempt = send.attempt,
                .sent = clock_now(),
                .request = send.request,
                .reply = {}};
  if (around_.plant != Plant::none) {
    spoil(packet.request);
    if (around_.planted(Plant::majority_off_by_one)) {
      packet.server = (send.server + index_) % around_.mix.servers;
    }
  }
  if (around_.planted(Plant::heirs_ballot_used)) {
    use_heirs_ballot(packet);
  }
  judge_sent(packet.request);
  proposals_.on_sent(packet.request, packet.attempt, around_.now());
  post(std::move(packet));
  return true;
}

void Actor::post(Packet packet) {
  if (around_.etcd != nullptr) {
    around_.etcd->send_request(packet);
  } else {
    around_.network->send_request(std::move(packet));
  }
}

void Actor::judge_sent(const Request& request) {
  if (const auto* beat = std::get_if<Heartbeat>(&request)) {
    around_.evictions.on_beat_sent(beat->token, beat->beat, around_.now());
  } else if (const auto* accept = std::get_if<Accept>(&request)) {
    around_.queue.on_proposed(accept->ballot, accept->value, around_.now());
  } else if (const auto* prepare = std::get_if<Prepare>(&request)) {
    around_.queue.on_prepared(prepare->ballot, around_.now());
    if (prepare->intent == Intent::evict) {
      around_.counts.add(Seen::evictions_sent);
      around_.evictions.on_evict_sent(prepare->ballot, prepare->victim, evidence_since(*prepare));
    }
  }
}

// The true moment from which on the evidence of this eviction is complete: the last of the
// sightings that can belong to it.
Nanoseconds Actor::evidence_since(const Prepare& prepare) const {
  Nanoseconds latest{};
  const Nanoseconds shortest = around_.mix.lease;
  for (const auto& [watched, observer] : session_->observers()) {
    if (observer.victim().token != prepare.victim) {
      continue;
    }
    for (const auto& seen : observer.sightings()) {
      if (seen && seen->beat <= prepare.beat &&
          elapsed_for_observer(seen->since, clock_now()) >= shortest) {
        latest = std::max(latest, clock_.true_time_of(seen->since.boot));
      }
    }
  }
  return latest.count() == 0 ? around_.now() : latest;
}

}  // namespace dexlock::sim
