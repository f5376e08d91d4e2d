#include "failover/cluster_watch.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "dexlock/lease.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::milliseconds kLookGap{100};
constexpr milliseconds kPatience{2'000};
constexpr milliseconds kReportTimeout{5'000};  // so long a dead supervisor is shown as alive
constexpr milliseconds kReportWait{1'000};
constexpr milliseconds kStoreLimit{2'000};
constexpr milliseconds kReportRelease{1'000};

}  // namespace

ClusterWatch::ClusterWatch(std::string package, std::string host, milliseconds period)
    : package_(std::move(package)),
      host_(std::move(host)),
      period_(period),
      fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { go(); }) {}

ClusterWatch::~ClusterWatch() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ClusterWatch::report(const HostReport& report) {
  const std::lock_guard lock(mutex_);
  hurry_ = hurry_ || report_ != report;
  report_ = report;
  changed_.notify_all();
}

void ClusterWatch::regard(std::set<std::string> packages) {
  const std::lock_guard lock(mutex_);
  hurry_ = hurry_ || regarded_ != packages;
  regarded_ = std::move(packages);
  changed_.notify_all();
}

void ClusterWatch::look_now() {
  const std::lock_guard lock(mutex_);
  hurry_ = true;
  changed_.notify_all();
}

std::optional<std::map<std::string, PackageView>> ClusterWatch::take() {
  std::uint64_t count = 0;
  static_cast<void>(!::read(fd_.get(), &count, sizeof count));
  const std::lock_guard lock(mutex_);
  return std::exchange(view_, std::nullopt);
}

void ClusterWatch::go() {
  do {
    publish();
    look();
  } while (wait());
  news_.reset();
  publish();
  if (lease_ != nullptr) {
    static_cast<void>(lease_->release(kReportRelease));
  }
}

bool ClusterWatch::wait() {
  std::unique_lock lock(mutex_);
  // News that come in a stream are looked at together.
  changed_.wait_for(lock, kLookGap, [this] { return over_; });
  changed_.wait_for(lock, period_, [this] { return over_ || hurry_; });
  hurry_ = false;
  return !over_;
}

// The report stays when the lease ends: of a dead supervisor the last word is known.
void ClusterWatch::publish() {
  if (lease_ != nullptr && !lease_->holds()) {
    lease_.reset();
    published_.reset();
  }
  if (lease_ == nullptr) {
    auto lease = Lease::acquire({.name = report_of(package_, host_),
                                 .timeout = kReportTimeout,
                                 .command = "failover " + package_,
                                 .wait = kReportWait});
    if (!lease) {
      return;
    }
    lease_ = std::move(*lease);
  }
  std::optional<HostReport> report;
  {
    const std::lock_guard lock(mutex_);
    report = report_;
  }
  if (report && published_ != report && lease_->set_value(text_of(*report), kStoreLimit)) {
    published_ = report;
  }
}

void ClusterWatch::look() {
  if (inspector_ == nullptr) {
    auto opened = Inspector::open({.patience = kPatience, .live = true});
    if (!opened) {
      return;
    }
    inspector_ = std::move(*opened);
  }
  const auto sights = inspector_->locks(lock_of("*"));
  if (!sights || !sights->servers.has_majority()) {
    return;
  }
  auto views = package_views(sights->locks);
  listen(views);
  {
    const std::lock_guard lock(mutex_);
    view_ = std::move(views);
  }
  const std::uint64_t one = 1;
  static_cast<void>(!::write(fd_.get(), &one, sizeof one));
}

// A report that nobody has seen yet is found by looking.
void ClusterWatch::listen(const std::map<std::string, PackageView>& views) {
  if (news_ == nullptr) {
    auto opened = LockNews::open([this] { look_now(); });
    if (!opened) {
      return;
    }
    news_ = std::move(*opened);
  }
  std::set<std::string> packages{package_};
  {
    const std::lock_guard lock(mutex_);
    packages.insert(regarded_.begin(), regarded_.end());
  }
  std::set<std::string> names{control_of(package_)};
  for (const std::string& package : packages) {
    if (const auto view = views.find(package); view != views.end()) {
      for (const HostView& host : view->second.hosts) {
        names.insert(report_of(package, host.name));
      }
    }
  }
  names.erase(report_of(package_, host_));
  static_cast<void>(news_->listen(names));
}

}  // namespace dexlock
