#include "cli/failover_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "cli/json_text.hpp"
#include "cli/shown_text.hpp"
#include "cli/sights_json.hpp"

namespace dexlock {
namespace {

using Row = std::array<std::string, 6>;

std::string row_text(const Row& row, const std::array<std::size_t, 6>& widths) {
  std::string line;
  for (std::size_t at = 0; at < row.size(); ++at) {
    line += fmt::format("{:<{}}  ", row[at], widths[at]);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

// What is not known of one whose lease is not over yet.
std::string doubt_text(const HostView& host) {
  if (!host.alive || host.confirmed) {
    return "";
  }
  const auto silent = host.silent / std::chrono::seconds(1);
  return silent == 0 ? ", not confirmed" : fmt::format(", not heard for {} s", silent);
}

}  // namespace

// A dead supervisor's last word says nothing about now.
std::string state_text(const HostView& host) {
  if (!host.alive) {
    return "no supervisor";
  }
  if (host.report.state == PackageState::standby && !host.report.ready) {
    return host.report.stands_back ? "stands back" : "standby, waits";
  }
  return std::string(name_of(host.report.state));
}

std::string wanted_text(const ControlRecord& control) {
  return std::string(control.run ? "running" : "stopped") +
         (control.maintenance ? ", maintenance" : "");
}

std::string failover_table(const std::map<std::string, PackageView>& views) {
  std::vector<Row> rows{{"PACKAGE", "WANTED", "HOST", "STATE", "SINCE", "ERROR"}};
  for (const auto& [name, view] : views) {
    for (const HostView& host : view.hosts) {
      rows.push_back({shown_text(name), wanted_text(view.control), shown_text(host.name),
                      state_text(host) + doubt_text(host),
                      shown_moment(std::chrono::seconds(host.report.since)),
                      shown_text(host.report.error)});
    }
    if (view.hosts.empty()) {
      rows.push_back({shown_text(name), wanted_text(view.control), "-", "-", "-", ""});
    }
  }
  std::array<std::size_t, 6> widths{};
  for (const Row& row : rows) {
    for (std::size_t at = 0; at < row.size(); ++at) {
      widths[at] = std::max(widths[at], row[at].size());
    }
  }
  std::string text;
  for (const Row& row : rows) {
    text += row_text(row, widths);
  }
  return text;
}

std::string failover_json(const std::map<std::string, PackageView>& views) {
  std::vector<std::string> packages;
  for (const auto& [name, view] : views) {
    std::vector<std::string> hosts;
    for (const HostView& host : view.hosts) {
      JsonObject object;
      object.add("name", host.name)
          .add("alive", host.alive)
          .add("confirmed", host.confirmed)
          .add("silent_ms", host.silent.count())
          .add("state", name_of(host.report.state))
          .add("since", host.report.since)
          .add("token", host.report.token)
          .add("ready", host.report.ready)
          .add("stands_back", host.report.stands_back)
          .add("failures", host.report.failures)
          .add("settings", host.report.digest)
          .add_if("error", host.report.error);
      hosts.push_back(object.text());
    }
    const HostView* active = view.active();
    JsonObject object;
    object.add("name", name)
        .add("run", view.control.run)
        .add("maintenance", view.control.maintenance)
        .add_if("active", active == nullptr ? "" : active->name)
        .add_json("hosts", json_array(hosts));
    packages.push_back(object.text());
  }
  JsonObject object = json_answer();
  object.add_json("packages", json_array(packages));
  return object.text();
}

}  // namespace dexlock
