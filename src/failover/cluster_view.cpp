#include "failover/cluster_view.hpp"

#include <algorithm>
#include <string_view>

namespace dexlock {
namespace {

// Nobody takes over the lock of a host that has died: it stays held, and its lease is over.
bool lives(const LockSight& report) {
  return !std::ranges::all_of(report.holders, &HolderSight::lapsed);
}

}  // namespace

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
        view.hosts.push_back({.name = *host, .alive = lives(sight), .report = *report});
      }
    }
  }
  return views;
}

}  // namespace dexlock
