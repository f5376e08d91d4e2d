#include "failover/last_will.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "system/boot_time.hpp"

namespace dexlock {
namespace {

constexpr std::chrono::milliseconds kSweepPoll{5};
constexpr std::chrono::seconds kSweepLimit{5};  // what is killed is gone by then, or never
constexpr int kTries = 2;

}  // namespace

LastWill::LastWill(const Will& will, const PackageTree& tree, Children& children,
                   std::vector<std::string> settings, std::chrono::nanoseconds kill_at)
    : will_(will),
      tree_(tree),
      children_(children),
      settings_(std::move(settings)),
      kill_at_(kill_at) {}

void LastWill::begin(const Step& step, std::chrono::nanoseconds limit) {
  Step limited = step;
  limited.limit = std::min(step.limit, std::max(limit, std::chrono::nanoseconds(0)));
  job_.emplace(limited, tree_, settings_, children_);
}

std::optional<std::string> LastWill::go_on() {
  while (true) {
    if (job_) {
      const auto end = job_->ended();
      if (!end) {
        return std::nullopt;
      }
      job_.reset();
      if (phase_ == Phase::stop) {
        on_stop(*end);
      } else {
        trouble_ = end->status == 0 ? "" : trouble_ + "; the fence " + trouble_of(*end);
        phase_ = Phase::done;
      }
    } else if (phase_ == Phase::stop && at_ < will_.stop.size()) {
      stop_next();
    } else if (phase_ == Phase::stop && failed_) {
      failed_ = false;
      at_ = 0;
      if (++tries_ == kTries) {
        give_up(trouble_);
      }
    } else if (phase_ == Phase::stop) {
      trouble_.clear();
      phase_ = Phase::sweep;
      sweep_until_ = boot_time() + kSweepLimit;
    } else if (phase_ == Phase::sweep) {
      if (tree_.kill()) {
        if (boot_time() < sweep_until_) {
          return std::nullopt;
        }
        give_up("some of its processes cannot be killed");
      } else {
        phase_ = Phase::done;
      }
    } else if (phase_ == Phase::fence) {
      begin(*will_.fence, will_.fence->limit);
    } else {
      return trouble_;
    }
  }
}

void LastWill::stop_next() {
  const std::chrono::nanoseconds left = kill_at_ - boot_time();
  if (left.count() <= 0 && will_.fence) {
    give_up(trouble_.empty() ? "it was too late to stop it" : trouble_);
  } else {
    // Without a fence it is stopped late rather than not at all.
    const auto steps = static_cast<std::int64_t>(will_.stop.size() - at_);
    begin(will_.stop[at_], left.count() <= 0 ? will_.stop[at_].limit : left / steps);
  }
}

void LastWill::on_stop(const StepEnd& end) {
  if (end.status != 0) {
    trouble_ = will_.stop[at_].label + ' ' + trouble_of(end);
    failed_ = true;
    tree_.kill();
  }
  ++at_;
}

void LastWill::give_up(const std::string& why) {
  trouble_ = why;
  tree_.kill();
  phase_ = will_.fence ? Phase::fence : Phase::done;
}

std::chrono::nanoseconds LastWill::next_time() const {
  return job_ ? job_->deadline() : boot_time() + kSweepPoll;
}

}  // namespace dexlock
