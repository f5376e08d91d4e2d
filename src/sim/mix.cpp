#include "sim/mix.hpp"

#include <algorithm>
#include <array>

#include "lease/timing.hpp"
#include "sim/draw.hpp"
#include "sim/etcd_mix.hpp"

namespace dexlock::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array<std::size_t, 8> kServerCounts{3, 3, 3, 3, 5, 5, 1, 7};
constexpr std::array<std::size_t, 8> kClientCounts{2, 3, 3, 5, 5, 5, 8, 20};
constexpr std::array<milliseconds, 6> kLeases{milliseconds(1000),  milliseconds(3000),
                                              milliseconds(5000),  milliseconds(10000),
                                              milliseconds(30000), milliseconds(30000)};

bool coin(Random& random) { return happens(random, 500'000); }

std::uint32_t chance(Random& random, std::uint32_t most) {
  return coin(random) ? 0 : between(random, 1U, most);
}

// Either never, or on average once in a few leases up to once in many.
Nanoseconds every(Random& random, Nanoseconds lease) {
  return coin(random) ? Nanoseconds(0) : between(random, lease / 2, lease * 20);
}

void draw_behaviour(Mix& mix, Random& random) {
  mix.lease = kLeases[random.below(kLeases.size())];
  mix.stop = coin(random)
                 ? milliseconds(0)
                 : milliseconds(between(random, 1U, static_cast<std::uint32_t>(mix.lease.count())));
  mix.lease_times_max = coin(random) ? 1 : 3;
  mix.modes = static_cast<ModeKind>(std::array{0, 0, 0, 1, 2}[random.below(5)]);
  mix.capacity = mix.modes == ModeKind::semaphore ? between(random, 1U, 4U) : 1;
  mix.once_share = std::array<std::uint32_t, 3>{0, 500'000, 1'000'000}[random.below(3)];
  mix.work_to_the_limit = coin(random);
  mix.sticky_promises = !happens(random, 200'000);
  mix.queues = coin(random);
  mix.hold_max = between(random, milliseconds(1), Nanoseconds(mix.lease) * 4);
  mix.think_max = between(random, milliseconds(1), Nanoseconds(mix.lease) * 8);
  mix.patience_max = coin(random) ? seconds(100'000) : Nanoseconds(mix.lease) * 3;
  mix.poll_max = between(random, milliseconds(200), seconds(2));
  mix.attempt_limit = between(random, Nanoseconds(mix.lease) / 20, Nanoseconds(mix.lease) / 3);
}

void draw_network(Mix& mix, Random& random) {
  const Nanoseconds far = std::min<Nanoseconds>(milliseconds(50), mix.lease / 100);
  mix.delay_min = between(random, std::chrono::microseconds(50), far / 2);
  mix.delay_max = mix.delay_min + between(random, std::chrono::microseconds(10), far);
  mix.slow_message = chance(random, 50'000);
  mix.slow_max = between(random, milliseconds(100), Nanoseconds(mix.lease) * 3);
  const std::uint32_t worst = coin(random) ? 20'000 : 300'000;
  mix.lose_request = chance(random, worst);
  mix.lose_reply = chance(random, worst);
  mix.repeat = chance(random, 200'000);
  mix.told_unreachable = chance(random, 1'000'000);
  // An attempt is two round trips, each way up to twice the link's delay.
  mix.attempt_limit = std::max(mix.attempt_limit, 10 * mix.delay_max);
  mix.cut_every = every(random, mix.lease);
  mix.cut_max = Nanoseconds(mix.lease) * 3;
}

void draw_hosts(Mix& mix, Random& random) {
  mix.machine_crash_every = every(random, mix.lease);
  mix.process_restart_every = every(random, mix.lease);
  mix.down_max = Nanoseconds(mix.lease) * 2;
  mix.write_error = chance(random, 50'000);
  mix.crash_in_write = chance(random, 2'000);
  mix.full_every = every(random, mix.lease);
  mix.kill_every = every(random, mix.lease);
  mix.kill_in_output = chance(random, 10'000);
  mix.orphaned_work = chance(random, 1'000'000);
  mix.pause_every = every(random, mix.lease);
  mix.pause_max = Nanoseconds(mix.lease) * 3;
  mix.work_through_pause = chance(random, 1'000'000);
  mix.reboot_every = every(random, Nanoseconds(mix.lease) * 3);
  mix.lose_file = chance(random, 50'000);
  mix.tear_file = chance(random, 50'000);
  mix.clocks = static_cast<ClockFaults>(random.below(3));
  mix.suspend_every =
      mix.clocks == ClockFaults::suspend ? every(random, mix.lease) : Nanoseconds(0);
}

void without_faults(Mix& mix) {
  mix.slow_message = mix.lose_request = mix.lose_reply = mix.repeat = 0;
  mix.write_error = mix.crash_in_write = mix.kill_in_output = mix.lose_file = mix.tear_file = 0;
  mix.cut_every = mix.machine_crash_every = mix.process_restart_every = mix.full_every =
      mix.kill_every = mix.pause_every = mix.reboot_every = mix.suspend_every = Nanoseconds(0);
}

void need_server_crashes(Mix& mix) {
  mix.machine_crash_every = Nanoseconds(mix.lease) / 2;
  mix.down_max = Nanoseconds(mix.lease) / 3;
}

void need_silent_holders(Mix& mix) {
  mix.pause_every = Nanoseconds(mix.lease);
  mix.cut_every = Nanoseconds(mix.lease);
  mix.hold_max = Nanoseconds(mix.lease) * 8;
  mix.think_max = Nanoseconds(mix.lease);
}

void need_one_shot_calls(Mix& mix) {
  mix.once_share = 1'000'000;
  mix.kill_in_output = 30'000;
  mix.hold_max = Nanoseconds(mix.lease) * 8;
  mix.think_max = Nanoseconds(mix.lease) / 4;
}

void need_queue(Mix& mix) {
  mix.queues = true;
  mix.once_share = 0;
  mix.clients = 5;
  mix.stop = milliseconds(0);
  mix.patience_max = seconds(100'000);
}

// Waiters that come at one moment draw the same number, and the ticket of the junior may be the
// only one that a holder has heard of.
void need_ties(Mix& mix) {
  need_queue(mix);
  calm_down(mix);
  mix.sticky_promises = false;
  mix.clients = 8;
  mix.hold_max = mix.delay_max * 8;
  mix.think_max = mix.delay_max * 16;
}

// Heirs that hear late of their lock, because they were paused, and then are heard of no more for
// as long as an observation takes, because they are cut off.
void need_late_heirs(Mix& mix) {
  without_faults(mix);
  need_queue(mix);
  mix.clients = 2;
  mix.lease_times_max = 1;
  mix.work_to_the_limit = true;
  mix.pause_every = Nanoseconds(mix.lease) / 4;
  mix.pause_max = Nanoseconds(mix.lease) / 3;
  mix.work_through_pause = 1'000'000;
  mix.cut_every = Nanoseconds(mix.lease) / 4;
  mix.cut_max = Nanoseconds(mix.lease);
  mix.poll_max = Nanoseconds(mix.lease) / 20;
  mix.hold_max = Nanoseconds(mix.lease) / 2;
  mix.think_max = Nanoseconds(mix.lease) / 20;
}

// Locks won by evicting, whose fence stays on a server that the value did not reach: the first
// heartbeats find it there, and little else arrives.
void need_own_fences(Mix& mix) {
  without_faults(mix);
  mix.stop = milliseconds(0);
  mix.once_share = 1'000'000;
  mix.queues = false;
  mix.lease_times_max = 1;
  mix.work_to_the_limit = true;
  mix.lose_request = 350'000;
  mix.lose_reply = 100'000;
  mix.attempt_limit = Nanoseconds(mix.lease) / 3;
  mix.poll_max = Nanoseconds(mix.lease) / 5;
  mix.pause_every = Nanoseconds(mix.lease);
  mix.pause_max = Nanoseconds(mix.lease) * 2;
  mix.hold_max = Nanoseconds(mix.lease) * 8;
  mix.think_max = Nanoseconds(mix.lease) / 4;
}

void need_slow_messages(Mix& mix) {
  mix.slow_message = 150'000;
  mix.slow_max = Nanoseconds(mix.lease) * 3;
  mix.attempt_limit = Nanoseconds(mix.lease) / 3;
}

// Heartbeats and evictions that are under way for as long as an observation takes.
void need_late_heartbeats(Mix& mix) {
  mix.stop = milliseconds(0);
  mix.lease_times_max = 1;
  mix.once_share = 0;
  mix.slow_message = 350'000;
  mix.slow_max = Nanoseconds(mix.lease) * 2;
  mix.attempt_limit = Nanoseconds(mix.lease) * 2;
  mix.poll_max = Nanoseconds(mix.lease) / 20;
  mix.pause_every = Nanoseconds(0);
  mix.cut_every = mix.machine_crash_every = mix.process_restart_every = mix.full_every =
      Nanoseconds(0);
  mix.lose_request = mix.lose_reply = mix.write_error = 0;
  mix.kill_every = Nanoseconds(mix.lease);
  mix.hold_max = Nanoseconds(mix.lease) * 8;
  mix.think_max = Nanoseconds(mix.lease) / 4;
}

// Several who find the lock free at once, and messages that are lost in between.
void need_fast_ballots(Mix& mix) {
  mix.fast_ballots = true;
  mix.queues = false;
  mix.once_share = 0;
  mix.clients = 4;
  mix.hold_max = milliseconds(500);
  mix.think_max = milliseconds(500);
  mix.lose_reply = 100'000;
  mix.kill_every = Nanoseconds(mix.lease);
}

// Half of them is no majority; of three nobody misses the counting of fast votes.
std::size_t servers_for(Plant plant) {
  switch (plant) {
    case Plant::majority_off_by_one:
      return 4;
    case Plant::fast_votes_not_counted:
      return 5;
    default:
      return 3;
  }
}

void prepare_for(Plant plant, Mix& mix) {
  switch (plant) {
    case Plant::sync_skipped:
    case Plant::promise_in_memory:
    case Plant::server_wiped:
    case Plant::server_rolled_back:
      need_server_crashes(mix);
      break;
    case Plant::lost_promises_forgotten:
    case Plant::lost_promises_accepted_below:
      need_server_crashes(mix);
      mix.unsynced_promises = true;
      break;
    case Plant::evict_promise_unsynced:
      need_server_crashes(mix);
      need_silent_holders(mix);
      mix.unsynced_promises = true;
      break;
    case Plant::fence_in_memory:
    case Plant::boot_kept:
    case Plant::evict_any_boot:
      need_server_crashes(mix);
      need_silent_holders(mix);
      break;
    case Plant::fence_missing:
    case Plant::fence_not_checked:
    case Plant::gone_acknowledged:
      need_late_heartbeats(mix);
      break;
    case Plant::evict_unchecked:
    case Plant::terms_shortened:
    case Plant::clock_not_read_after_pause:
    case Plant::stopped_late:
      need_silent_holders(mix);
      break;
    case Plant::failed_write_acknowledged:
      mix.write_error = 200'000;
      break;
    case Plant::stale_reply_counted:
    case Plant::observed_from_sending:
    case Plant::belief_until_released:
      need_slow_messages(mix);
      need_silent_holders(mix);
      break;
    case Plant::clock_stops_in_suspend:
      mix.clocks = ClockFaults::suspend;
      mix.suspend_every = Nanoseconds(mix.lease);
      break;
    case Plant::saved_after_sending:
    case Plant::number_from_old_file:
      need_one_shot_calls(mix);
      break;
    case Plant::torn_file_believed:
      need_one_shot_calls(mix);
      mix.tear_file = 300'000;
      break;
    case Plant::file_of_earlier_boot:
    case Plant::sightings_of_earlier_boot:
      need_one_shot_calls(mix);
      mix.reboot_every = Nanoseconds(mix.lease) / 2;
      break;
    case Plant::proposer_id_kept:
      mix.kill_every = Nanoseconds(mix.lease) / 2;
      mix.kill_in_output = 30'000;
      break;
    case Plant::torn_record_blank:
      mix.crash_in_write = 20'000;
      mix.tear_record = 500'000;
      break;
    case Plant::inherited_from_learning:
      need_late_heirs(mix);
      break;
    case Plant::lease_from_reply:
      need_slow_messages(mix);
      need_silent_holders(mix);
      mix.stop = milliseconds(0);
      mix.lease_times_max = 1;
      mix.work_to_the_limit = true;
      break;
    case Plant::confirm_counts_as_renewal:
      need_own_fences(mix);
      break;
    case Plant::claim_never_claimed:
      need_slow_messages(mix);
      need_silent_holders(mix);
      need_queue(mix);
      break;
    case Plant::ticket_taken_for_grant:
    case Plant::heirs_ballot_used:
      need_queue(mix);
      break;
    case Plant::queue_jumped:
      need_queue(mix);
      calm_down(mix);
      break;
    case Plant::fast_majority:
    case Plant::fast_votes_not_counted:
    case Plant::fast_in_spite_of_promise:
      need_fast_ballots(mix);
      break;
    case Plant::release_asks_nobody:
      need_ties(mix);
      break;
    case Plant::package_stop_lies:
      mix.package_share = 1'000'000;
      break;
    case Plant::none:
    case Plant::ack_counted_twice:
    case Plant::majority_off_by_one:
    case Plant::proposer_id_shared:
    case Plant::session_cloned:
    case Plant::released_by_name:
    case Plant::token_not_raised:
    case Plant::holder_forgotten:
    case Plant::etcd_beat_unguarded:  // these by prepare_etcd_for()
    case Plant::etcd_beat_goes_back:
    case Plant::etcd_evict_unguarded:
    case Plant::etcd_record_unguarded:
    case Plant::etcd_fast_unguarded:
    case Plant::etcd_lost_taken_for_done:
    case Plant::etcd_sent_again:
    case Plant::etcd_count_begins_anew:
    case Plant::etcd_restored_served:
    case Plant::group_activated_unseen:
    case Plant::vote_while_proposed:
    case Plant::incarnation_ignored:
    case Plant::wiped_member_votes:
    case Plant::proposal_replaced:
    case Plant::group_memory_ignored:
      break;
  }
}

std::string in_ms(Nanoseconds span) {
  return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(span).count() /
                        1000) +
         "ms";
}

}  // namespace

Mix draw_mix(std::uint64_t seed, const MixLimits& limits) {
  Random random(seed * 0x9E3779B97F4A7C15U + 1);
  Mix mix;
  mix.servers = kServerCounts[random.below(kServerCounts.size())];
  mix.clients = kClientCounts[random.below(kClientCounts.size())];
  draw_behaviour(mix, random);
  draw_network(mix, random);
  draw_hosts(mix, random);
  mix.faulty = Nanoseconds(mix.lease) * between(random, 10U, 50U);
  mix.tear_record = coin(random) ? 0 : 1'000'000;
  if (limits.servers != 0) {
    mix.servers = limits.servers;
  }
  if (limits.clients != 0) {
    mix.clients = limits.clients;
  }
  if (limits.unbounded_clocks) {
    mix.clocks = ClockFaults::unbounded;
    mix.suspend_every = Nanoseconds(mix.lease) * 3;
  }
  mix.only_judge = limits.only_judge;
  // Drawn apart, so that all else stays what it is with a seed.
  constexpr std::uint64_t kPushesEvery = 4;
  mix.pushes = mix.queues && Random(seed).below(kPushesEvery) == 0;
  Random fast(seed + 1);
  mix.fast_ballots = coin(fast) && limits.plant == Plant::none;
  Random unsynced(seed + 2);
  mix.unsynced_promises = coin(unsynced) && limits.plant == Plant::none;
  Random packages(seed + 3);
  constexpr std::uint64_t kPackagesEvery = 4;
  if (limits.plant == Plant::none && packages.below(kPackagesEvery) == 0) {
    mix.package_share = 600'000;
  }
  constexpr std::uint64_t kCalmEvery = 16;
  const bool calm = seed % kCalmEvery == 0 && limits.plant == Plant::none;
  if (limits.calm || (calm && !limits.unbounded_clocks)) {
    calm_down(mix);
  }
  if (limits.plant != Plant::none) {
    mix.modes = limits.plant == Plant::released_by_name || limits.plant == Plant::holder_forgotten
                    ? mix.modes
                    : ModeKind::exclusive;
    mix.servers = servers_for(limits.plant);
    mix.clients = std::min<std::size_t>(mix.clients, 5);
    mix.hold_max = std::max(mix.hold_max, Nanoseconds(mix.lease));
    prepare_for(limits.plant, mix);
  }
  if (limits.etcd || is_etcd_plant(limits.plant)) {
    draw_etcd(mix, seed, limits.plant);
  }
  return mix;
}

void calm_down(Mix& mix) {
  mix.calm = true;
  without_faults(mix);
}

Nanoseconds decision_lag(const Mix& mix) {
  const Terms longest{.lease = mix.lease * mix.lease_times_max};
  return renewal_period(longest) + mix.delay_max * 8;
}

std::string mix_text(const Mix& mix) {
  const auto field = [](const char* name, auto value) {
    return ' ' + std::string(name) + '=' + std::to_string(value);
  };
  const auto span = [](const char* name, Nanoseconds value) {
    return ' ' + std::string(name) + '=' + (value.count() == 0 ? "never" : in_ms(value));
  };
  return "servers=" + (mix.members == 0 ? std::to_string(mix.servers) : etcd_text(mix)) +
         field("clients", mix.clients) + span("faulty", mix.faulty) +
         field("modes", static_cast<int>(mix.modes)) + field("capacity", mix.capacity) +
         span("lease", mix.lease) + " stop=" + in_ms(mix.stop) +
         field("lease_times", mix.lease_times_max) + field("once", mix.once_share) +
         field("packages", mix.package_share) +
         field("to_the_limit", mix.work_to_the_limit ? 1 : 0) +
         field("sticky", mix.sticky_promises ? 1 : 0) + field("fast", mix.fast_ballots ? 1 : 0) +
         field("unsynced", mix.unsynced_promises ? 1 : 0) + field("queues", mix.queues ? 1 : 0) +
         field("pushes", mix.pushes ? 1 : 0) + span("hold", mix.hold_max) +
         span("think", mix.think_max) + span("patience", mix.patience_max) +
         span("poll", mix.poll_max) + span("attempt", mix.attempt_limit) +
         span("delay_min", mix.delay_min) + span("delay_max", mix.delay_max) +
         field("slow", mix.slow_message) + span("slow_max", mix.slow_max) +
         field("lose_request", mix.lose_request) + field("lose_reply", mix.lose_reply) +
         field("repeat", mix.repeat) + field("told", mix.told_unreachable) +
         span("cut", mix.cut_every) + span("machine_crash", mix.machine_crash_every) +
         span("restart", mix.process_restart_every) + field("write_error", mix.write_error) +
         field("crash_in_write", mix.crash_in_write) + field("tear_record", mix.tear_record) +
         span("full", mix.full_every) + span("kill", mix.kill_every) +
         field("kill_in_output", mix.kill_in_output) + field("orphans", mix.orphaned_work) +
         span("pause", mix.pause_every) + field("work_through_pause", mix.work_through_pause) +
         span("reboot", mix.reboot_every) + field("lose_file", mix.lose_file) +
         field("tear_file", mix.tear_file) + field("clocks", static_cast<int>(mix.clocks)) +
         span("suspend", mix.suspend_every);
}

}  // namespace dexlock::sim
