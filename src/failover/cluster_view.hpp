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

  // The one that has it, by its own word, and its supervisor is there; or null.
  [[nodiscard]] const HostView* active() const {
    const auto found = std::ranges::find_if(
        hosts, [](const HostView& host) { return host.alive && host.active(); });
    return found == hosts.end() ? nullptr : &*found;
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
