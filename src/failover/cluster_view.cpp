#include "failover/cluster_view.hpp"

#include <algorithm>
#include <string_view>

namespace dexlock {
namespace {

// Nobody takes over the lock of a host that has died: it stays held, and its lease is over.
bool lives(const LockSight& report) {
  return !std::ranges::all_of(report.holders, &HolderSight::lapsed);
}

// By this machine's own clock, which only its own heartbeats tell; for others see confirm().
constexpr std::chrono::seconds kFresh{2};

HostView host_view(const std::string& name, const LockSight& sight, const HostReport& report) {
  HostView host{.name = name, .alive = lives(sight), .report = report};
  for (const HolderSight& holder : sight.holders) {
    const std::chrono::milliseconds none{};
    host.beat = holder.heartbeat;
    host.silent = std::max(holder.heartbeat_age.value_or(none), holder.unchanged.value_or(none));
    host.confirmed = host.alive && holder.heartbeat_age && *holder.heartbeat_age < kFresh;
  }
  return host;
}

}  // namespace

void confirm(std::map<std::string, PackageView>& views,
             const std::map<std::string, PackageView>& earlier) {
  for (auto& [name, view] : views) {
    const auto before = earlier.find(name);
    for (HostView& host : view.hosts) {
      const HostView* was = before == earlier.end() ? nullptr : before->second.host(host.name);
      const bool lives = was != nullptr && was->beat != host.beat;
      host.confirmed = host.alive && (host.confirmed || lives);
    }
  }
}

std::map<std::string, PackageView> package_views(const std::vector<LockSight>& sights) {
  std::map<std::string, PackageView> views;
  const std::string prefix = lock_of("");
  for (const LockSight& sight : sights) {
    if (!sight.name.starts_with(prefix)) {
      continue;
    }
    const std::string rest = sight.name.substr(prefix.size());
    const std::string package = rest.substr(0, rest.find('/'));
    PackageView& view = views[package];
    view.name = package;
    if (sight.name == control_of(package) && sight.value) {
      view.control = parse_control(*sight.value).value_or(ControlRecord{});
    } else if (const auto host = host_in(sight.name, package); host && sight.value) {
      if (const auto report = parse_report(*sight.value)) {
        view.hosts.push_back(host_view(*host, sight, *report));
      }
    }
  }
  return views;
}

}  // namespace dexlock
