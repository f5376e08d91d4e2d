#include "cli/failover_change.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "failover/control_change.hpp"
#include "failover/package_places.hpp"
#include "failover/supervisor_lock.hpp"

namespace dexlock {
namespace {

constexpr std::chrono::milliseconds kControlLimit{10'000};
// A supervisor gives a sign of life each second.
constexpr std::chrono::milliseconds kConfirmLimit{2'000};
constexpr std::chrono::milliseconds kConfirmPause{100};

// The supervisor on this host looks at once.
void poke(const std::string& package) {
  const auto directory = package_directory(package);
  const int pid = directory ? supervisor_in(*directory) : 0;
  if (pid > 0) {
    ::kill(pid, SIGUSR2);
  }
}

Result<void> change(const std::string& package,
                    const std::function<void(ControlRecord&)>& changes) {
  const auto changed = change_control(package, kControlLimit, changes);
  if (!changed) {
    return std::unexpected(changed.error());
  }
  poke(package);
  return {};
}

Result<PackageViews> look(Inspector& inspector, const std::string& pattern) {
  const auto sights = inspector.locks(pattern);
  if (!sights) {
    return std::unexpected(sights.error());
  }
  if (!sights->servers.has_majority()) {
    return fail(Errc::no_quorum, sights->servers.verdict());
  }
  return package_views(sights->locks);
}

bool all_confirmed(const PackageViews& views) {
  return std::ranges::all_of(views, [](const auto& view) {
    return std::ranges::all_of(view.second.hosts,
                               [](const HostView& host) { return host.confirmed || !host.alive; });
  });
}

}  // namespace

Result<PackageViews> look_at_packages(const std::string& pattern) {
  const auto inspector = Inspector::open({.patience = kControlLimit});
  return inspector ? look(**inspector, pattern) : std::unexpected(inspector.error());
}

Result<PackageViews> watch_packages(const std::string& pattern) {
  using Clock = std::chrono::steady_clock;
  const auto inspector = Inspector::open({.patience = kControlLimit});
  if (!inspector) {
    return std::unexpected(inspector.error());
  }
  const auto begun = Clock::now();
  const auto first = look(**inspector, pattern);
  auto views = first;
  const auto until = Clock::now() + kConfirmLimit;
  const bool is_slow = until - begun > 2 * kConfirmLimit;
  while (views && !is_slow && !all_confirmed(*views) && Clock::now() < until) {
    (*inspector)->wait(kConfirmPause);
    auto again = look(**inspector, pattern);
    if (!again) {
      break;
    }
    confirm(*again, *first);
    views = std::move(again);
  }
  return views;
}

Result<PackageView> look_at_package(const std::string& package) {
  auto views = look_at_packages(lock_of(package) + "/*");
  if (!views) {
    return std::unexpected(views.error());
  }
  PackageView view = (*views)[package];
  view.name = package;
  return view;
}

Result<void> want_running(const std::string& package, Running running) {
  return change(package,
                [running](ControlRecord& control) { control.run = running == Running::yes; });
}

Result<void> want_maintenance(const std::string& package, Maintenance maintenance) {
  return change(package, [maintenance](ControlRecord& control) {
    control.maintenance = maintenance == Maintenance::on;
  });
}

Result<std::optional<std::string>> want_moved(const std::string& package, const std::string& to) {
  const auto view = look_at_package(package);
  if (!view) {
    return std::unexpected(view.error());
  }
  const HostView* active = view->active();
  const std::string from = active == nullptr ? "" : active->name;
  const HostView* target = view->host(to);
  if (!to.empty() && (target == nullptr || !target->alive)) {
    return fail(Errc::held_by_other,
                fmt::format("not moved: no supervisor of {} is on {}", package, to));
  }
  if (to.empty() && active == nullptr) {
    return fail(Errc::held_by_other, fmt::format("not moved: {} is active nowhere", package));
  }
  if (!to.empty() && to == from) {
    return std::nullopt;
  }
  const auto changed = change(package, [&](ControlRecord& control) {
    ++control.move;
    control.to = to;
    control.from = from;
  });
  if (!changed) {
    return std::unexpected(changed.error());
  }
  return from;
}

}  // namespace dexlock
