// Whether this host should have a package now, or leave it to another one: by the preference of
// hosts, by moves that operators want, and by other packages.
//
// Threads: one.       Never does: read a clock.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "failover/cluster_view.hpp"
#include "failover/package_settings.hpp"
#include "lock/instant.hpp"

namespace dexlock {

class Placement {
 public:
  explicit Placement(std::string host) : host_(std::move(host)) {}

  // Why another host should have it; empty: none. `state`: of this host.
  [[nodiscard]] std::string elsewhere(const PackageSettings& settings,
                                      const std::map<std::string, PackageView>& views,
                                      PackageState state, Nanoseconds now);
  // When to ask again, at the latest.
  [[nodiscard]] std::optional<Nanoseconds> next_time() const { return until_; }

 private:
  [[nodiscard]] std::string by_dependency(const PackageSettings& settings,
                                          const std::map<std::string, PackageView>& views) const;
  [[nodiscard]] std::string by_move(const PackageView& view, PackageState state, Nanoseconds now);
  [[nodiscard]] std::string by_preference(const PackageSettings& settings, const PackageView& view,
                                          PackageState state, Nanoseconds now);
  [[nodiscard]] static bool can_take(const HostView& host) {
    return host.alive && !host.active() && host.report.ready;
  }

  std::string host_;
  std::optional<std::uint64_t> move_;      // the latest one that was seen
  bool moving_ = false;                    // and it is still of interest
  std::string step_back_for_;              // a better host
  std::optional<Nanoseconds> not_before_;  // it did not take it: it is not stepped back for again
  std::optional<Nanoseconds> until_;       // a move, or a step back, is not waited for any longer
};

}  // namespace dexlock
