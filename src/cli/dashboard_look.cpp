#include "cli/dashboard_look.hpp"

#include <utility>

#include "package/package_records.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMoment{5'000};  // a sign of life since the last look counts as one of now
constexpr milliseconds kHistoriesLimit{500};  // of each look
constexpr std::size_t kHistoriesMax = 500;    // locks that are looked up

bool has_history(const LockSight& lock) {
  return !is_inner_lock(lock.name) && (lock.is_held() || lock.name.starts_with(lock_of("")));
}

}  // namespace

bool is_inner_lock(const std::string& name) {
  const std::string prefix = lock_of("");
  return name.starts_with(prefix) && name.find('/', prefix.size()) != std::string::npos;
}

std::string host_of_hold(const std::string& who) {
  constexpr std::string_view kOn = " on ";
  const auto on = who.rfind(kOn);
  if (who.find(" failover ") != std::string::npos && on != std::string::npos) {
    return who.substr(on + kOn.size());
  }
  const auto at = who.find('@');
  const auto end = who.find(' ');
  return at < end ? who.substr(at + 1, end - at - 1) : who;
}

DashboardWatch::DashboardWatch(std::unique_ptr<Inspector> inspector, Told told)
    : inspector_(std::move(inspector)), told_(std::move(told)), thread_([this] { go(); }) {}

DashboardWatch::~DashboardWatch() {
  {
    const std::scoped_lock lock(mutex_);
    over_ = true;
  }
  inspector_->stop();
  changed_.notify_all();
  thread_.join();
}

void DashboardWatch::look() {
  const std::scoped_lock lock(mutex_);
  wanted_ = true;
  changed_.notify_all();
}

void DashboardWatch::go() {
  while (wait()) {
    look_once();
  }
}

bool DashboardWatch::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return wanted_ || over_; });
  wanted_ = false;
  return !over_;
}

void DashboardWatch::look_once() {
  auto look = std::make_shared<DashboardLook>();
  look->servers = inspector_->servers();
  if (auto locks = inspector_->locks("*")) {
    look->locks = std::move(*locks);
  }
  if (over_) {
    return;
  }
  look->packages = package_views(look->locks.locks);
  read_histories(look->locks.locks);
  for (const auto& [name, known] : known_) {
    look->histories[name] = known.history;
  }
  if (over_) {
    return;
  }
  look->at =
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  look->when = std::chrono::steady_clock::now();
  if (before_ != nullptr && look->when - before_->when < kMoment) {
    confirm(look->packages, before_->packages);
  }
  before_ = look;
  told_(std::move(look));
}

void DashboardWatch::read_histories(const std::vector<LockSight>& locks) {
  const auto end = std::chrono::steady_clock::now() + kHistoriesLimit;
  std::map<std::string, Known> kept;
  for (const LockSight& lock : locks) {
    if (!has_history(lock) || kept.size() >= kHistoriesMax) {
      continue;
    }
    auto found = known_.find(lock.name);
    const bool same = found != known_.end() && found->second.last_token == lock.last_token &&
                      found->second.holders == lock.holders.size();
    if (!same && !over_ && std::chrono::steady_clock::now() < end) {
      if (auto history = inspector_->history(lock.name)) {
        kept[lock.name] = {.last_token = lock.last_token,
                           .holders = lock.holders.size(),
                           .history = std::move(*history)};
        continue;
      }
    }
    if (found != known_.end()) {
      kept[lock.name] = std::move(found->second);
    }
  }
  // Without a majority some locks are not seen: what is known of them stays.
  if (locks.empty()) {
    return;
  }
  known_ = std::move(kept);
}

}  // namespace dexlock
