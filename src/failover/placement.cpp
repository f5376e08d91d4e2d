#include "failover/placement.hpp"

#include <algorithm>

namespace dexlock {
namespace {

constexpr Nanoseconds kMoveLimit = std::chrono::seconds(30);
constexpr Nanoseconds kStepBack = std::chrono::seconds(5);
constexpr Nanoseconds kNotAgain = std::chrono::minutes(1);

const PackageView* view_of(const std::map<std::string, PackageView>& views,
                           const std::string& package) {
  const auto found = views.find(package);
  return found == views.end() ? nullptr : &found->second;
}

bool runs(const HostView* active) {
  return active != nullptr && (active->report.state == PackageState::running ||
                               active->report.state == PackageState::degraded);
}

}  // namespace

std::string Placement::elsewhere(const PackageSettings& settings,
                                 const std::map<std::string, PackageView>& views,
                                 PackageState state, Nanoseconds now) {
  if (std::string why = by_dependency(settings, views); !why.empty()) {
    return why;
  }
  const PackageView* view = view_of(views, settings.name);
  if (view == nullptr) {
    return {};
  }
  if (std::string why = by_move(*view, state, now); !why.empty()) {
    return why;
  }
  return moving_ ? "" : by_preference(settings, *view, state, now);
}

std::string Placement::by_dependency(const PackageSettings& settings,
                                     const std::map<std::string, PackageView>& views) const {
  const auto active_of = [&](const std::string& package) -> const HostView* {
    const PackageView* view = view_of(views, package);
    return view == nullptr ? nullptr : view->active();
  };
  for (const std::string& package : settings.after) {
    if (!runs(active_of(package))) {
      return "after " + package + ", which does not run";
    }
  }
  for (const std::string& package : settings.together) {
    const HostView* active = active_of(package);
    if (active == nullptr || active->name != host_) {
      return "together with " + package + ", which is not active here";
    }
  }
  for (const std::string& package : settings.apart) {
    const HostView* active = active_of(package);
    if (active != nullptr && active->name == host_) {
      return "apart from " + package + ", which is active here";
    }
  }
  return {};
}

// A move that was asked for before this supervisor began is none for it.
std::string Placement::by_move(const PackageView& view, PackageState state, Nanoseconds now) {
  const ControlRecord& control = view.control;
  if (move_ != control.move) {
    moving_ = move_.has_value() && control.move > *move_;
    move_ = control.move;
    until_ = moving_ ? std::optional(now + kMoveLimit) : until_;
  }
  if (!moving_) {
    return {};
  }
  const HostView* active = view.active();
  const bool arrived =
      active != nullptr && active->name != host_ &&
      (control.to.empty() ? active->name != control.from : active->name == control.to);
  if (arrived || now >= until_.value_or(now)) {
    moving_ = false;
    until_.reset();
    return {};
  }
  if (control.to.empty()) {
    return host_ == control.from ? "it is being moved away from here" : "";
  }
  if (control.to == host_) {
    // It has come: whoever else waits for that sees it too.
    moving_ = state == PackageState::standby;
    return {};
  }
  const HostView* target = view.host(control.to);
  return target != nullptr && target->alive ? "it is being moved to " + control.to : "";
}

// Before it is started here, or with fail-back at any time. Whom it is left to may be about to die:
// it is not waited for for ever.
std::string Placement::by_preference(const PackageSettings& settings, const PackageView& view,
                                     PackageState state, Nanoseconds now) {
  if (!step_back_for_.empty()) {
    const HostView* active = view.active();
    const bool done = active != nullptr && active->name == step_back_for_;
    if (done || now >= until_.value_or(now)) {
      not_before_ = done ? std::nullopt : std::optional(now + kNotAgain);
      until_.reset();
      step_back_for_.clear();
      return {};
    }
    return "it is left to " + step_back_for_ + ", which is preferred";
  }
  const bool starts = state == PackageState::unknown;
  const bool runs_here = state == PackageState::running || state == PackageState::degraded;
  if ((!starts && !(runs_here && settings.failback)) || now < not_before_.value_or(now)) {
    return {};
  }
  const std::size_t own = rank_of(settings, host_);
  const HostView* best = nullptr;
  for (const HostView& host : view.hosts) {
    if (host.name != host_ && can_take(host) && rank_of(settings, host.name) < own &&
        (best == nullptr || rank_of(settings, host.name) < rank_of(settings, best->name))) {
      best = &host;
    }
  }
  if (best == nullptr) {
    return {};
  }
  step_back_for_ = best->name;
  until_ = now + kStepBack + (runs_here ? Nanoseconds(settings.stop_timeout) : Nanoseconds(0));
  return by_preference(settings, view, state, now);
}

}  // namespace dexlock
