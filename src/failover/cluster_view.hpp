// What is known of a package on all hosts, as its locks tell it.
//
// Threads: plain values.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dexlock/inspection.hpp"
#include "package/package_records.hpp"

namespace dexlock {

struct HostView {
  std::string name;
  bool alive = false;      // its supervisor is there, as far as is known: its lease is not over
  bool confirmed = false;  // and a sign of life was seen just now
  std::chrono::milliseconds silent{};  // at least so long none was seen
  std::optional<std::uint32_t> beat;   // the number of the latest one
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

// Hosts with a sign of life that `earlier`, moments ago, had not.
void confirm(std::map<std::string, PackageView>& views,
             const std::map<std::string, PackageView>& earlier);

// Of all packages that `sights` tells something about, by name.
[[nodiscard]] std::map<std::string, PackageView> package_views(
    const std::vector<LockSight>& sights);

}  // namespace dexlock
