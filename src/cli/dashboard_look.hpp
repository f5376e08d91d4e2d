// What the dashboard shows, looked at once for all who ask.
//
// A look first reads servers, locks and packages; the histories of some locks follow as long as
// that takes no longer than a moment, the others in the next looks.
//
// Threads: look() any; told() is called on the thread of the watch.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "dexlock/inspection.hpp"
#include "failover/cluster_view.hpp"

namespace dexlock {

struct DashboardLook {
  std::chrono::milliseconds at{};  // since 1970
  std::chrono::steady_clock::time_point when;
  ServersSight servers;
  LocksSight locks;
  std::map<std::string, PackageView> packages;
  std::map<std::string, HistorySight> histories;  // by lock: those of packages, and held ones
};

class DashboardWatch {
 public:
  using Told = std::function<void(std::shared_ptr<const DashboardLook>)>;

  DashboardWatch(std::unique_ptr<Inspector> inspector, Told told);
  ~DashboardWatch();  // told() is not called any more
  DashboardWatch(const DashboardWatch&) = delete;
  DashboardWatch& operator=(const DashboardWatch&) = delete;

  // One more look, begun after this call.
  void look();

 private:
  // Of a lock whose history was read: it has not changed since.
  struct Known {
    std::uint64_t last_token = 0;
    std::size_t holders = 0;
    HistorySight history;
  };

  void go();
  bool wait();
  void look_once();
  void read_histories(const std::vector<LockSight>& locks);

  std::unique_ptr<Inspector> inspector_;
  Told told_;
  std::map<std::string, Known> known_;
  std::shared_ptr<const DashboardLook> before_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool wanted_ = false;  // guarded by mutex_
  std::atomic<bool> over_ = false;
  std::thread thread_;  // the last: it uses the others
};

// failover/PACKAGE/host/HOST and the like: what is known by them is shown with the package.
[[nodiscard]] bool is_inner_lock(const std::string& name);

// Which host of the package had this hold, by what the holder wrote.
[[nodiscard]] std::string host_of_hold(const std::string& who);

}  // namespace dexlock
