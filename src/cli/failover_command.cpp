#include "cli/failover_command.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/failover_change.hpp"
#include "cli/failover_metrics.hpp"
#include "cli/failover_text.hpp"
#include "cli/parse.hpp"
#include "cli/status_of.hpp"
#include "dexlock/exit_status.hpp"
#include "failover/agent_metadata.hpp"
#include "failover/guard.hpp"
#include "failover/host_name.hpp"
#include "failover/package_load.hpp"
#include "failover/package_places.hpp"
#include "failover/supervisor.hpp"
#include "failover/supervisor_lock.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using Views = PackageViews;

constexpr int kGuardListener = 3;
constexpr int kLookEveryMs = 200;

struct FailoverOptions {
  std::string action;
  std::vector<std::string> names;
  std::string to;
  std::string wait = "60";
  milliseconds wait_limit{};
  bool json = false;
  std::string own_path;  // of this program
};

int failed_by(const Error& error) {
  complain(error.text);
  return status_of(error);
}

int wrong(const std::string& text) {
  complain(text);
  return static_cast<int>(ExitStatus::usage);
}

constexpr int kNotDone = static_cast<int>(ExitStatus::not_held);

// --- looking

std::string hosts_text(const PackageView& view) {
  std::string text;
  for (const HostView& host : view.hosts) {
    if (host.alive) {
      text += fmt::format("{}{} is {}", text.empty() ? "" : ", ", host.name,
                          name_of(host.report.state));
      text += host.report.error.empty() ? "" : " (" + host.report.error + ")";
    }
  }
  return text.empty() ? "no supervisor of it is there" : text;
}

// Looks until it is as it should be.
int wait_until(const FailoverOptions& options, const std::string& what,
               const std::function<bool(const PackageView&)>& is_done) {
  const auto until = std::chrono::steady_clock::now() + options.wait_limit;
  while (true) {
    const auto view = look_at_package(options.names.front());
    if (view && is_done(*view)) {
      return static_cast<int>(ExitStatus::ok);
    }
    if (std::chrono::steady_clock::now() >= until) {
      complain(fmt::format("{} {} yet: {}", options.names.front(), what,
                           view ? hosts_text(*view) : view.error().text));
      return kNotDone;
    }
    ::poll(nullptr, 0, kLookEveryMs);
  }
}

// --- the supervisor on this host

std::string own_path() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).native();
}

int signal_supervisor(const FailoverOptions& options, int signal) {
  const std::string& package = options.names.front();
  const auto directory = package_directory(package);
  if (!directory) {
    return failed_by(directory.error());
  }
  const int pid = supervisor_in(*directory);
  if (pid <= 0 || ::kill(pid, signal) != 0) {
    complain("nobody supervises " + package + " on this host");
    return kNotDone;
  }
  return static_cast<int>(ExitStatus::ok);
}

int run_package(const FailoverOptions& options) {
  const std::string& name = options.names.front();
  auto settings = load_package(name);
  if (!settings) {
    return failed_by(settings.error());
  }
  const auto directory = package_directory(name);
  if (!directory) {
    return failed_by(directory.error());
  }
  const std::string host = short_host_name();
  if (const auto checked = check_package_name(host); !checked) {
    return wrong("the name of this host, " + checked.error().text + "; set DEXLOCK_HOST");
  }
  const auto done = supervise({.settings = std::move(*settings),
                               .directory = *directory,
                               .host = host,
                               .guard_program = {options.own_path, "failover", "guard", name},
                               .own_program = {options.own_path, "failover", "run", name}});
  if (!done) {
    complain(name + ": " + done.error().text);
    return done.error().code == Errc::held_by_other ? kNotDone : status_of(done.error());
  }
  return static_cast<int>(ExitStatus::ok);
}

// --- what operators want

int start_package(const FailoverOptions& options) {
  if (const auto wanted = want_running(options.names.front(), Running::yes); !wanted) {
    return failed_by(wanted.error());
  }
  return wait_until(options, "does not run", [](const PackageView& view) {
    const HostView* active = view.active();
    return active != nullptr && (active->report.state == PackageState::running ||
                                 active->report.state == PackageState::degraded);
  });
}

int stop_package(const FailoverOptions& options) {
  if (const auto wanted = want_running(options.names.front(), Running::no); !wanted) {
    return failed_by(wanted.error());
  }
  return wait_until(options, "is not stopped",
                    [](const PackageView& view) { return view.active() == nullptr; });
}

int move_package(const FailoverOptions& options) {
  const auto moved = want_moved(options.names.front(), options.to);
  if (!moved) {
    return failed_by(moved.error());
  }
  if (!*moved) {
    return static_cast<int>(ExitStatus::ok);
  }
  const std::string& from = **moved;
  return wait_until(options, "has not moved", [&](const PackageView& now) {
    const HostView* there = now.active();
    const bool up = there != nullptr && (there->report.state == PackageState::running ||
                                         there->report.state == PackageState::degraded);
    return up && (options.to.empty() ? there->name != from : there->name == options.to);
  });
}

int set_maintenance(FailoverOptions options) {
  const auto word = std::ranges::find_if(
      options.names, [](const std::string& name) { return name == "on" || name == "off"; });
  if (options.names.size() != 2 || word == options.names.end()) {
    return wrong("maintenance needs a package, and on or off");
  }
  const bool on = *word == "on";
  options.names.erase(word);
  const auto wanted =
      want_maintenance(options.names.front(), on ? Maintenance::on : Maintenance::off);
  return wanted ? static_cast<int>(ExitStatus::ok) : failed_by(wanted.error());
}

// --- what there is

int show_status(const FailoverOptions& options) {
  const auto views = watch_packages(lock_of(options.names.empty() ? "" : options.names.front()) +
                                    (options.names.empty() ? "*" : "/*"));
  if (!views) {
    return failed_by(views.error());
  }
  return print(options.json ? failover_json(*views) + '\n' : failover_table(*views));
}

int print_metrics() {
  const auto inspector = Inspector::open({});
  if (!inspector) {
    return failed_by(inspector.error());
  }
  const ServersSight servers = (*inspector)->servers();
  const auto locks = (*inspector)->locks("*");
  if (!locks) {
    return failed_by(locks.error());
  }
  return print(failover_metrics(servers, locks->locks));
}

int list_packages() {
  std::string text;
  for (const std::string& name : packages_here()) {
    text += name + '\n';
  }
  return print(text);
}

// What this host can tell of the settings, and whether they are those of the other hosts.
std::vector<std::string> problems_of(const PackageSettings& settings, const PackageView* view) {
  std::vector<std::string> problems;
  for (const Resource& resource : settings.resources) {
    if (resource.kind != ResourceKind::agent) {
      continue;
    }
    if (const auto valid = validate(resource, settings.name, settings.ocf_root); !valid) {
      problems.push_back(valid.error().text);
    }
  }
  for (const HostView& host : view == nullptr ? std::vector<HostView>{} : view->hosts) {
    if (host.name != short_host_name() && host.alive && host.report.digest != digest_of(settings)) {
      problems.push_back("its settings or scripts differ from those on " + host.name);
    }
  }
  return problems;
}

int check_packages(const FailoverOptions& options) {
  const auto views = look_at_packages(lock_of("*"));
  int status = 0;
  const auto names = options.names.empty() ? packages_here() : options.names;
  for (const std::string& name : names) {
    const auto settings = load_package(name);
    if (!settings) {
      status = failed_by(settings.error());
      continue;
    }
    const auto view = views ? views->find(name) : Views::const_iterator{};
    const auto problems =
        problems_of(*settings, views && view != views->end() ? &view->second : nullptr);
    for (const std::string& problem : problems) {
      complain("package " + name + ": " + problem);
      status = static_cast<int>(ExitStatus::configuration);
    }
    if (problems.empty()) {
      std::string text = fmt::format("package {}: fine\n", name);
      if (settings->watchdog.empty()) {
        text +=
            "  if supervisor and guard are killed in the same instant, and no supervisor is "
            "started "
            "again within the timeout, the package goes on without a lock: only a watchdog answers "
            "that\n";
      }
      if (settings->fence.empty()) {
        text += "  without fence a host whose package cannot be stopped is only reported\n";
      }
      status = std::max(status, print(text));
    }
  }
  if (!views) {
    complain("the other hosts' settings were not compared: " + views.error().text);
    status = status == 0 ? kNotDone : status;
  }
  return status;
}

struct Action {
  std::string_view name;
  std::size_t names_min;
  std::size_t names_max;
  int (*act)(const FailoverOptions& options);
};

constexpr std::array kActions{
    Action{"run", 1, 1, run_package},
    Action{"start", 1, 1, start_package},
    Action{"stop", 1, 1, stop_package},
    Action{"move", 1, 1, move_package},
    Action{"maintenance", 2, 2, [](const FailoverOptions& o) { return set_maintenance(o); }},
    Action{"status", 0, 1, show_status},
    Action{"list", 0, 0, [](const FailoverOptions&) { return list_packages(); }},
    Action{"metrics", 0, 0, [](const FailoverOptions&) { return print_metrics(); }},
    Action{"check-conf", 0, 1000, check_packages},
    Action{"reload", 1, 1, [](const FailoverOptions& o) { return signal_supervisor(o, SIGUSR1); }},
    Action{"restart", 1, 1, [](const FailoverOptions& o) { return signal_supervisor(o, SIGQUIT); }},
};

}  // namespace

int failover_command(std::span<const std::string> words) {
  if (words.size() == 2 && words[0] == "guard") {  // as a supervisor starts it
    auto directory = package_directory(words[1]);
    if (!directory) {
      return failed_by(directory.error());
    }
    return guard_package(
        {.directory = std::move(*directory), .listener = UniqueFd(kGuardListener)});
  }
  CLI::App app(
      "Keeps services, called packages, running on one of several hosts. On each host a supervisor "
      "(run) asks for the package's lock; who has it starts the package, looks at it, and stops it "
      "before anybody else may have the lock. The other actions tell all hosts what is wanted.",
      "dex-lock failover");
  app.group("Failover");
  app.footer(R"(actions:
  run PACKAGE  supervise it on this host; TERM stops it and hands it over
  start PACKAGE  it shall run, on one host
  stop PACKAGE  it shall run nowhere
  move PACKAGE  to the host of --to, or away from where it is
  maintenance PACKAGE on|off  on: it is neither looked at nor touched
  status [PACKAGE]  what each host does with it
  list  the packages described on this host
  metrics  packages, locks and lock servers for Prometheus; without a majority as well
  check-conf [PACKAGE...]  settings, programs, and whether other hosts have the same
  reload PACKAGE  this host's supervisor reads the settings again
  restart PACKAGE  this host's supervisor starts itself again; the package goes on
environment:
  DEXLOCK_HOST  the name of this host, instead of its host name up to the first dot
files:
  /etc/dex-lock/failover/PACKAGE.conf  its settings
  /etc/dex-lock/failover/PACKAGE  a program with start, stop and status, if those name nothing else
examples:
  # on each host, mostly as a service: systemctl enable --now dex-failover@web
  dex-lock failover run web
  # where is it?
  dex-lock failover status
  # for the textfile collector of Prometheus' node_exporter
  dex-lock failover metrics > dexlock.prom.new && mv dexlock.prom.new dexlock.prom
  # to another host, now
  dex-lock failover move web --to hostb
)");
  FailoverOptions options;
  app.add_option("ACTION", options.action, "what to do; below")->required();
  app.add_option("PACKAGE", options.names, "of which package");
  app.add_option("--to", options.to, "move: to this host")->type_name("HOST");
  app.add_option("--wait", options.wait, "start, stop, move: so long for it to have happened (60)")
      ->type_name("DURATION");
  app.add_flag("--json", options.json, "status: for programs");
  if (const auto status = parse_words(app, words)) {
    return *status;
  }
  const auto action = std::ranges::find(kActions, options.action, &Action::name);
  if (action == kActions.end()) {
    return wrong("failover: there is no action of this name: " + options.action);
  }
  if (options.names.size() < action->names_min || options.names.size() > action->names_max) {
    return wrong("failover " + options.action +
                 (action->names_max == 0 ? " takes no package" : " needs the name of a package"));
  }
  for (const std::string& name : options.names) {
    if (const auto checked = check_package_name(name); !checked) {
      return wrong(checked.error().text);
    }
  }
  if (!options.to.empty() && options.action != "move") {
    return wrong("--to is for move");
  }
  if (!read_duration(options.wait, {}, "--wait", options.wait_limit)) {
    return static_cast<int>(ExitStatus::usage);
  }
  options.own_path = own_path();
  return action->act(options);
}

}  // namespace dexlock
