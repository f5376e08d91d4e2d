#include "failover/guarded_run.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "failover/saying.hpp"
#include "system/boot_time.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kKillLimit{5'000};  // what is killed is gone by then, or never
constexpr milliseconds kKillPoll{5};
constexpr std::size_t kVoicesMax = 64;
constexpr int kPassedOnMax = 16;

// False: it has ended.
bool pass_on(const UniqueFd& voice) {
  std::array<char, 4096> bytes{};
  ssize_t got = 0;
  // Who says more than this at once must not keep the guard from looking at the time.
  for (int reads = 0; reads < kPassedOnMax; ++reads) {
    got = ::read(voice.get(), bytes.data(), bytes.size());
    if (got <= 0) {
      return got != 0;
    }
    say_bytes({bytes.data(), static_cast<std::size_t>(got)});
  }
  return true;
}

}  // namespace

bool GuardedRun::begin(const Words& words, std::vector<std::string> settings) {
  if (words.size() < 4) {
    return false;
  }
  const std::string& mode = words[2];
  Run run{.id = words[1],
          .looks = mode == "look",
          .starts = mode == "start",
          .steps = {},
          .settings = std::move(settings),
          .answer = {"ran", words[1]}};
  std::size_t at = 3;
  Step step;
  while (take_step(words, at, step)) {
    run.steps.push_back(step);
  }
  if (at != words.size() || run.steps.empty()) {
    return false;
  }
  abort();
  run_ = std::move(run);
  return true;
}

void GuardedRun::begin_killing(const std::string& id) {
  killing_ = Killing{id, boot_time() + kKillLimit};
}

void GuardedRun::abort() {
  run_.reset();
  job_.reset();
}

void GuardedRun::go_on() {
  run_on();
  kill_on();
}

void GuardedRun::run_on() {
  while (run_) {
    if (!job_ && !begin_step()) {
      return;
    }
    const auto end = job_->ended();
    if (!end) {
      return;
    }
    keep_voice(job_->take_output());
    job_.reset();
    run_->answer.insert(run_->answer.end(),
                        {end->timed_out ? "1" : "0", std::to_string(end->status), end->output});
    const bool last = ++run_->at == run_->steps.size();
    if (last || (end->status != 0 && !run_->looks)) {
      tell_(run_->answer);
      run_.reset();
    }
  }
}

bool GuardedRun::begin_step() {
  const auto until = run_->starts ? start_until_() : std::nullopt;
  if (run_->starts && !until) {
    tell_({"ran", run_->id, "0", "1", "the lock is not held any more"});
    run_.reset();
    return false;
  }
  job_.emplace(run_->steps[run_->at], tree_, run_->settings, children_, JobOutput{}, until);
  return true;
}

void GuardedRun::kill_on() {
  if (!killing_) {
    return;
  }
  const bool left = tree_.kill();
  if (!left || boot_time() >= killing_->until) {
    tell_({"ran", std::exchange(killing_, std::nullopt)->id, "0", left ? "1" : "0",
           left ? "some of its processes cannot be killed" : ""});
  }
}

// It may speak for as long as it likes.
void GuardedRun::keep_voice(UniqueFd voice) {
  if (voice.get() >= 0 && voices_.size() < kVoicesMax) {
    voices_.push_back(std::move(voice));
  }
}

void GuardedRun::hear() {
  voices_.remove_if([](const UniqueFd& voice) { return !pass_on(voice); });
}

std::optional<std::chrono::nanoseconds> GuardedRun::next_time() const {
  if (killing_) {
    return boot_time() + kKillPoll;
  }
  return job_ ? std::optional(job_->deadline()) : std::nullopt;
}

std::vector<int> GuardedRun::fds() const {
  std::vector<int> all;
  if (job_) {
    all = {job_->end_fd(), job_->output_fd()};
  }
  for (const UniqueFd& voice : voices_) {
    all.push_back(voice.get());
  }
  return all;
}

}  // namespace dexlock
