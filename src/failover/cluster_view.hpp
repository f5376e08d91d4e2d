// What is known of a package on all hosts, as its locks tell it.
//
// Threads: plain values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "dexlock/inspection.hpp"
#include "package/package_records.hpp"

namespace dexlock {

struct HostView {
  std::string name;
  bool alive = false;  // its supervisor is there
  HostReport report;

  [[nodiscard]] bool active() const { return report.state != PackageState::standby; }
};

struct PackageView {
  std::string name;
  ControlRecord control;
  std::vector<HostView> hosts;  // by name

  // The one that has it, by its own word, and its supervisor is there; or null. Of two the one that
  // had the lock later: the other has died, and its word is not over yet.
  [[nodiscard]] const HostView* active() const {
    const HostView* latest = nullptr;
    for (const HostView& host : hosts) {
      if (host.alive && host.active() &&
          (latest == nullptr || host.report.token > latest->report.token)) {
        latest = &host;
      }
    }
    return latest;
  }
  [[nodiscard]] const HostView* host(const std::string& host_name) const {
    const auto found = std::ranges::find(hosts, host_name, &HostView::name);
    return found == hosts.end() ? nullptr : &*found;
  }
};

// Of all packages that `sights` tells something about, by name.
[[nodiscard]] std::map<std::string, PackageView> package_views(
    const std::vector<LockSight>& sights);

}  // namespace dexlock
