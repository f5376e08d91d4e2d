#include "sim/forming_mix.hpp"

#include <algorithm>
#include <array>

#include "lock/random.hpp"
#include "sim/draw.hpp"

namespace dexlock::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kOneIn = 10;
constexpr std::uint64_t kWhich = 9;

bool coin(Random& random) { return happens(random, 500'000); }

Nanoseconds every(Random& random) {
  return coin(random) ? Nanoseconds(0) : between(random, milliseconds(100), seconds(20));
}

void calm_down(FormingMix& mix) {
  mix.slow_message = mix.lose = mix.crash_in_write = mix.forgetful = 0;
  mix.wipe_every = mix.crash_every = mix.kill_every = Nanoseconds(0);
}

void prepare_for(Plant plant, FormingMix& mix) {
  mix.listed = std::max<std::size_t>(mix.listed, 3);
  mix.wipe_every = milliseconds(300);
  mix.kill_every = milliseconds(500);
  if (plant == Plant::proposal_replaced) {
    mix.shifted = 1;
  } else if (plant == Plant::group_memory_ignored || plant == Plant::wiped_member_votes) {
    mix.shifted = 0;
    mix.forgetful = 0;
  }
}

}  // namespace

bool is_forming_seed(std::uint64_t seed, const MixLimits& limits) {
  if (limits.plant != Plant::none) {
    return is_forming_plant(limits.plant);
  }
  if (limits.etcd) {
    return false;
  }
  return limits.only_forming || seed % kOneIn == kWhich;
}

FormingMix draw_forming_mix(std::uint64_t seed, const MixLimits& limits) {
  Random random(seed * 0x9E3779B97F4A7C15U + 2);
  FormingMix mix;
  mix.listed = std::array<std::size_t, 6>{3, 3, 3, 5, 1, 7}[random.below(6)];
  mix.clients = between(random, 1U, 6U);
  if (limits.servers != 0) {
    mix.listed = limits.servers;
  }
  if (limits.clients != 0) {
    mix.clients = std::min<std::size_t>(limits.clients, 8);
  }
  mix.shifted = coin(random) ? 0 : between(random, 1U, static_cast<std::uint32_t>(mix.listed));
  mix.faulty = between(random, seconds(2), seconds(60));
  mix.begin_max = coin(random) ? milliseconds(5) : seconds(5);
  mix.delay_max = between(random, std::chrono::microseconds(100), milliseconds(100));
  mix.slow_message = coin(random) ? 0 : between(random, 1U, 200'000U);
  mix.slow_max = between(random, milliseconds(100), seconds(10));
  mix.lose = coin(random) ? 0 : between(random, 1U, 300'000U);
  mix.patience = between(random, milliseconds(500), seconds(5));
  mix.poll = between(random, milliseconds(100), seconds(1));
  mix.wipe_every = every(random);
  mix.crash_every = every(random);
  mix.kill_every = every(random);
  mix.down_max = between(random, milliseconds(10), seconds(10));
  mix.crash_in_write = coin(random) ? 0 : between(random, 1U, 200'000U);
  mix.forgetful = coin(random) ? 0 : between(random, 1U, 1'000'000U);
  mix.only_judge = limits.only_judge;
  if (limits.calm) {
    calm_down(mix);
  }
  if (limits.plant != Plant::none) {
    prepare_for(limits.plant, mix);
  }
  return mix;
}

std::string forming_mix_text(const FormingMix& mix) {
  const auto field = [](const char* name, auto value) {
    return ' ' + std::string(name) + '=' + std::to_string(value);
  };
  const auto span = [](const char* name, Nanoseconds value) {
    return ' ' + std::string(name) + '=' +
           (value.count() == 0 ? "never" : std::to_string(value.count() / 1'000'000) + "ms");
  };
  return "a forming world:" + field("listed", mix.listed) + field("shifted", mix.shifted) +
         field("clients", mix.clients) + span("faulty", mix.faulty) + span("begin", mix.begin_max) +
         span("delay", mix.delay_max) + field("slow", mix.slow_message) +
         span("slow_max", mix.slow_max) + field("lose", mix.lose) + span("patience", mix.patience) +
         span("poll", mix.poll) + span("wipe", mix.wipe_every) + span("crash", mix.crash_every) +
         span("kill", mix.kill_every) + field("crash_in_write", mix.crash_in_write) +
         field("forgetful", mix.forgetful);
}

}  // namespace dexlock::sim
