#include "cli/failover_metrics.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <functional>

#include "cli/shown_text.hpp"
#include "failover/cluster_view.hpp"
#include "server/metrics_writer.hpp"

namespace dexlock {
namespace {

std::string label_text(std::string_view raw) { return shown_text(raw, true); }

using Views = std::map<std::string, PackageView>;

class FailoverMetrics {
 public:
  explicit FailoverMetrics(const Views& views) : views_(views) {}

  void write_packages() {
    of_packages("failover_wanted", "1 if operators want the package to run.",
                [](const PackageView& view) { return view.control.run ? 1 : 0; });
    of_packages("failover_maintenance", "1 while the package is left alone.",
                [](const PackageView& view) { return view.control.maintenance ? 1 : 0; });
    out_.begin("failover_state", MetricKind::gauge,
               "1 for what the host does with the package; all 0: no supervisor is there.");
    each_host([this](const PackageView& view, const HostView& host) {
      for (std::size_t at = 0; at < kPackageStateNames.size(); ++at) {
        out_.sample("",
                    metric_labels({{"package", label_text(view.name)},
                                   {"host", label_text(host.name)},
                                   {"state", kPackageStateNames[at]}}),
                    host.alive && static_cast<std::size_t>(host.report.state) == at ? 1 : 0);
      }
    });
    const std::int64_t now = std::time(nullptr);
    of_hosts("failover_state_seconds", "Since the state last changed, by the host's clock.",
             [now](const PackageView&, const HostView& host) {
               return std::max<std::int64_t>(now - host.report.since, 0);
             });
    of_hosts("failover_failures", "Failures of the package on the host that still count.",
             [](const PackageView&, const HostView& host) { return host.report.failures; });
    of_hosts("failover_active", "1 for the host that has the package.",
             [](const PackageView& view, const HostView& host) {
               return view.active() == &host ? 1 : 0;
             });
    of_hosts("failover_supervisor_alive", "1 while a supervisor of the package is on the host.",
             [](const PackageView&, const HostView& host) { return host.alive ? 1 : 0; });
  }

  void write_servers(const ServersSight& servers) {
    out_.single("majority", MetricKind::gauge, "1 if locks can be taken.",
                servers.has_majority() ? 1 : 0);
    of_servers("server_reachable", "1 if the lock server answers.", servers,
               [](const ServerSight& server) { return server.reachable ? 1 : 0; });
    of_servers("server_votes", "1 if the lock server answers and has a vote.", servers,
               [](const ServerSight& server) { return server.votes ? 1 : 0; });
    out_.begin("server_answer_seconds", MetricKind::gauge, "Time of the latest answer to a ping.");
    for (const ServerSight& server : servers.servers) {
      if (server.answer) {
        out_.sample("", metric_labels({{"server", label_text(server.name)}}),
                    std::chrono::duration<double>(*server.answer).count());
      }
    }
  }

  void write_locks(const std::vector<LockSight>& locks) {
    of_locks("lock_held", "1 if somebody holds the lock and the lease goes on.", locks,
             [](const LockSight& lock) {
               return std::ranges::all_of(lock.holders, &HolderSight::lapsed) ? 0 : 1;
             });
    of_locks("lock_waiters", "Who stands in line for the lock.", locks,
             [](const LockSight& lock) { return lock.waiters.size(); });
  }

  [[nodiscard]] std::string take() { return out_.take(); }

 private:
  void each_host(const std::function<void(const PackageView&, const HostView&)>& see) {
    for (const auto& [name, view] : views_) {
      for (const HostView& host : view.hosts) {
        see(view, host);
      }
    }
  }

  template <class Value>
  void of_packages(std::string_view name, std::string_view help, Value value) {
    out_.begin(name, MetricKind::gauge, help);
    for (const auto& [package, view] : views_) {
      out_.sample("", metric_labels({{"package", label_text(package)}}), value(view));
    }
  }

  template <class Value>
  void of_hosts(std::string_view name, std::string_view help, Value value) {
    out_.begin(name, MetricKind::gauge, help);
    each_host([&](const PackageView& view, const HostView& host) {
      out_.sample(
          "", metric_labels({{"package", label_text(view.name)}, {"host", label_text(host.name)}}),
          value(view, host));
    });
  }

  template <class Value>
  void of_servers(std::string_view name, std::string_view help, const ServersSight& servers,
                  Value value) {
    out_.begin(name, MetricKind::gauge, help);
    for (const ServerSight& server : servers.servers) {
      out_.sample("", metric_labels({{"server", label_text(server.name)}}), value(server));
    }
  }

  template <class Value>
  void of_locks(std::string_view name, std::string_view help, const std::vector<LockSight>& locks,
                Value value) {
    out_.begin(name, MetricKind::gauge, help);
    for (const LockSight& lock : locks) {
      out_.sample("", metric_labels({{"lock", label_text(lock.name)}}), value(lock));
    }
  }

  const Views& views_;
  MetricsWriter out_;
};

}  // namespace

std::string failover_metrics(const ServersSight& servers, const std::vector<LockSight>& locks) {
  const Views views = package_views(locks);
  FailoverMetrics metrics(views);
  metrics.write_packages();
  metrics.write_servers(servers);
  metrics.write_locks(locks);
  return metrics.take();
}

}  // namespace dexlock
