#include "sim/etcd_mix.hpp"

#include <algorithm>
#include <array>

#include "lock/random.hpp"
#include "sim/draw.hpp"

namespace dexlock::sim {
namespace {

using std::chrono::milliseconds;

constexpr std::array<std::size_t, 4> kMemberCounts{3, 3, 1, 5};
constexpr std::uint64_t kLateOneIn = 8;
constexpr std::uint64_t kRestoredOneIn = 8;
constexpr std::uint64_t kRemovedOneIn = 8;

// Calls that are under way for as long as an observation takes, and clients that wait for them.
void let_calls_be_late(Mix& mix) {
  mix.slow_message = 350'000;
  mix.slow_max = Nanoseconds(mix.lease) * 2;
  mix.attempt_limit = Nanoseconds(mix.lease) * 2;
  mix.call_limit = Nanoseconds(mix.lease) * 2;
  mix.poll_max = Nanoseconds(mix.lease) / 20;
}

// Heartbeats and evictions that are, and little else.
void need_late_calls(Mix& mix) {
  calm_down(mix);
  mix.calm = false;
  let_calls_be_late(mix);
  mix.once_share = 0;
  mix.stop = milliseconds(0);
  mix.lease_times_max = 1;
  mix.kill_every = Nanoseconds(mix.lease);
  mix.hold_max = Nanoseconds(mix.lease) * 8;
  mix.think_max = Nanoseconds(mix.lease) / 4;
}

// Some come to wait while the lock is given up and others find it free.
void need_latecomers(Mix& mix) {
  calm_down(mix);
  mix.fast_ballots = mix.queues = true;
  mix.sticky_promises = false;
  mix.once_share = 0;
  mix.clients = 8;
  mix.stop = milliseconds(0);
  mix.patience_max = std::chrono::seconds(100'000);
  mix.hold_max = mix.delay_max * 8;
  mix.think_max = mix.delay_max * 16;
}

void prepare_etcd_for(Plant plant, Mix& mix) {
  switch (plant) {
    case Plant::etcd_beat_unguarded:
    case Plant::etcd_evict_unguarded:
    case Plant::etcd_beat_goes_back:
      need_late_calls(mix);
      break;
    case Plant::etcd_fast_unguarded:
      need_latecomers(mix);
      break;
    case Plant::etcd_lost_taken_for_done:
    case Plant::etcd_sent_again:
      mix.lose_request = mix.lose_reply = 100'000;
      break;
    case Plant::etcd_count_begins_anew:
      mix.remove_every = Nanoseconds(mix.lease) * 2;
      break;
    case Plant::etcd_restored_served:
      mix.restore_every = Nanoseconds(mix.lease) * 2;
      break;
    default:
      break;
  }
}

}  // namespace

void draw_etcd(Mix& mix, std::uint64_t seed, Plant plant) {
  Random random(seed + 4);
  mix.servers = 1;
  mix.unsynced_promises = false;
  mix.tear_record = 0;
  mix.members = kMemberCounts[random.below(kMemberCounts.size())];
  mix.commit_max = between(random, std::chrono::microseconds(100), mix.lease / 100);
  mix.call_limit = between(random, mix.delay_max * 10 + mix.commit_max, milliseconds(1200));
  mix.election_max = between(random, milliseconds(10), Nanoseconds(mix.lease));
  mix.attempt_limit = std::max(mix.attempt_limit, (mix.delay_max * 4 + mix.commit_max) * 4);
  if (random.below(kLateOneIn) == 0 && !mix.calm) {
    let_calls_be_late(mix);
  }
  const bool restored = random.below(kRestoredOneIn) == 0;
  if (restored && !mix.calm && plant == Plant::none) {
    mix.restore_every = mix.faulty / 3;
  }
  const bool removed = random.below(kRemovedOneIn) == 0;
  if (removed && !mix.calm && plant == Plant::none) {
    mix.remove_every = mix.faulty / 4;
  }
  mix.idle = std::chrono::ceil<std::chrono::seconds>(
      between(random, Nanoseconds(mix.lease), Nanoseconds(mix.lease) * 30));
  prepare_etcd_for(plant, mix);
}

Nanoseconds record_gone_for(const Mix& mix) {
  return Nanoseconds(mix.lease + mix.stop) * mix.lease_times_max * 2;
}

std::string etcd_text(const Mix& mix) {
  const auto span = [](const char* name, Nanoseconds value) {
    return ' ' + std::string(name) + '=' +
           (value.count() == 0 ? "never" : std::to_string(value.count() / 1'000'000) + "ms");
  };
  return "etcd members=" + std::to_string(mix.members) + span("call", mix.call_limit) +
         span("commit", mix.commit_max) + span("election", mix.election_max) +
         span("restore", mix.restore_every) + span("remove", mix.remove_every) +
         span("idle", mix.idle);
}

}  // namespace dexlock::sim
