// Looks again and again at what is known of packages on all hosts, and keeps this host's own report
// of one of them. On a thread of its own: lock servers may be slow. Where they tell of changes it
// looks as soon as what operators want, or what another host says, has changed.
//
// Threads: any; take() is called where fd() is watched.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "dexlock/lease.hpp"
#include "dexlock/lock_news.hpp"
#include "failover/cluster_view.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

class ClusterWatch {
 public:
  // `period`: it looks at least so often.
  ClusterWatch(std::string package, std::string host, std::chrono::milliseconds period);
  ~ClusterWatch();
  ClusterWatch(const ClusterWatch&) = delete;
  ClusterWatch& operator=(const ClusterWatch&) = delete;

  // What this host has to say; the latest counts.
  void report(const HostReport& report);
  // Other packages whose changes matter to this one.
  void regard(std::set<std::string> packages);
  void look_now();
  // Readable when there is a new view.
  [[nodiscard]] int fd() const { return fd_.get(); }
  // Nothing: it is as before.
  [[nodiscard]] std::optional<std::map<std::string, PackageView>> take();

 private:
  void go();
  void publish();
  void look();
  void listen(const std::map<std::string, PackageView>& views);
  // False: it is time to end.
  bool wait();

  const std::string package_;
  const std::string host_;
  const std::chrono::milliseconds period_;
  UniqueFd fd_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  bool hurry_ = false;
  std::set<std::string> regarded_;
  std::optional<HostReport> report_;
  std::optional<std::map<std::string, PackageView>> view_;

  // Only of the thread:
  std::unique_ptr<Inspector> inspector_;
  std::unique_ptr<LockNews> news_;
  std::unique_ptr<Lease> lease_;
  std::optional<HostReport> published_;

  std::thread thread_;  // the last: it uses the others
};

}  // namespace dexlock
