#include "cli/dashboard_html.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "cli/failover_text.hpp"
#include "cli/shown_text.hpp"
#include "cli/sights_json.hpp"

namespace dexlock {
namespace {

constexpr std::size_t kRowsMax = 500;  // of a table; `dex-lock list` shows all

// A cell: a text, and the class that gives it its mark and colour.
struct Cell {
  std::string text;
  std::string mark;
};
using Cells = std::vector<Cell>;

struct Table {
  std::string id;
  std::string title;
  std::vector<std::string> heads;
  std::string none;  // instead of rows
  std::vector<Cells> rows;
};

std::string table_html(const Table& table) {
  std::string html = fmt::format("<section id=\"{}\"><h2>{}</h2>\n<table><thead><tr>", table.id,
                                 html_text(table.title));
  for (const std::string& head : table.heads) {
    html += "<th scope=\"col\">" + html_text(head) + "</th>";
  }
  html += "</tr></thead><tbody>\n";
  for (const Cells& row : table.rows) {
    html += "<tr>";
    for (std::size_t at = 0; at < row.size(); ++at) {
      html += fmt::format("<td data-head=\"{}\" class=\"{}\">{}</td>", html_text(table.heads[at]),
                          row[at].mark, html_text(row[at].text));
    }
    html += "</tr>\n";
  }
  return html + fmt::format("</tbody></table><p class=\"none\"{}>{}</p></section>\n",
                            table.rows.empty() ? "" : " hidden", html_text(table.none));
}

// good, busy, bad or plain.
std::string mark_of(const HostView& host) {
  if (!host.alive) {
    return "bad";
  }
  switch (host.report.state) {
    case PackageState::running:
      return "good";
    case PackageState::standby:
      return host.report.stands_back ? "busy" : "plain";
    case PackageState::failing:
    case PackageState::failed:
      return "bad";
    default:
      return "busy";
  }
}

std::string since_text(std::int64_t since) {
  return since > 0 ? shown_moment(std::chrono::seconds(since)) : "-";
}

Table packages_table(const DashboardLook& look) {
  Table table{.id = "packages",
              .title = "Packages",
              .heads = {"Package", "Wanted", "Host", "State", "Since", "Failures", "Last error"},
              .none = "No package is known.",
              .rows = {}};
  for (const auto& [name, view] : look.packages) {
    const Cell wanted{wanted_text(view.control),
                      view.control.run && !view.control.maintenance ? "" : "busy"};
    for (const HostView& host : view.hosts) {
      table.rows.push_back({{name, ""},
                            wanted,
                            {host.name, ""},
                            {state_text(host), mark_of(host)},
                            {since_text(host.report.since), ""},
                            {std::to_string(host.report.failures), ""},
                            {host.report.error, ""}});
    }
    if (view.hosts.empty()) {
      table.rows.push_back({{name, ""}, wanted, {"-", ""}, {"-", ""}, {"-", ""}, {"-", ""}, {}});
    }
  }
  return table;
}

std::set<std::string> hosts_of(const DashboardLook& look) {
  std::set<std::string> hosts;
  for (const auto& [name, view] : look.packages) {
    for (const HostView& host : view.hosts) {
      hosts.insert(host.name);
    }
  }
  return hosts;
}

Table hosts_table(const DashboardLook& look) {
  Table table{.id = "hosts",
              .title = "Hosts",
              .heads = {"Host", "Supervisors", "Has", "Stands by for"},
              .none = "No host is known.",
              .rows = {}};
  for (const std::string& name : hosts_of(look)) {
    std::size_t all = 0;
    std::size_t alive = 0;
    std::string has;
    std::string standby;
    for (const auto& [package, view] : look.packages) {
      const HostView* host = view.host(name);
      if (host == nullptr) {
        continue;
      }
      ++all;
      if (host->alive) {
        ++alive;
        std::string& list = view.active() == host ? has : standby;
        list += (list.empty() ? "" : ", ") + package;
      }
    }
    table.rows.push_back(
        {{name, ""},
         {fmt::format("{} of {} alive", alive, all), alive == all ? "good" : "bad"},
         {has.empty() ? "-" : has, ""},
         {standby.empty() ? "-" : standby, ""}});
  }
  return table;
}

Table timeline_table(const DashboardLook& look) {
  Table table{.id = "timeline",
              .title = "Who was active when",
              .heads = {"Package", "Host", "From", "To", "Ended"},
              .none = "No history is known.",
              .rows = {}};
  for (const auto& [package, view] : look.packages) {
    const auto found = look.histories.find(lock_of(package));
    for (const HoldSight& hold :
         found == look.histories.end() ? std::vector<HoldSight>{} : found->second.holds) {
      const bool well = hold.how == "holding" || hold.how == "released";
      table.rows.push_back({{package, ""},
                            {host_of_hold(hold.who), ""},
                            {shown_moment(hold.from), ""},
                            {shown_moment(hold.to), ""},
                            {hold.how, hold.how == "holding" ? "good"
                                       : well                ? ""
                                                             : "bad"}});
    }
  }
  return table;
}

std::string held_since(const DashboardLook& look, const LockSight& lock, std::uint64_t token) {
  const auto found = look.histories.find(lock.name);
  if (found != look.histories.end()) {
    const auto hold = std::ranges::find(found->second.holds, token, &HoldSight::token);
    return hold == found->second.holds.end() ? "-" : shown_moment(hold->from);
  }
  return "-";
}

Table locks_table(const DashboardLook& look) {
  Table table{.id = "locks",
              .title = "Locks",
              .heads = {"Lock", "State", "Holder", "Since", "Token", "Waiting"},
              .none = "No lock is known.",
              .rows = {}};
  for (const LockSight& lock : look.locks.locks) {
    if (is_inner_lock(lock.name) || table.rows.size() >= kRowsMax) {
      continue;
    }
    std::string waiting;
    for (const WaiterSight& waiter : lock.waiters) {
      waiting += (waiting.empty() ? "" : ", ") + waiter.who;
    }
    const Cell waits{
        lock.waiters.empty() ? "-" : fmt::format("{}: {}", lock.waiters.size(), waiting), ""};
    for (const HolderSight& holder : lock.holders) {
      table.rows.push_back({{lock.name, ""},
                            {holder.lapsed ? "lapsed" : "held", holder.lapsed ? "bad" : "good"},
                            {holder.who, ""},
                            {held_since(look, lock, holder.token), ""},
                            {std::to_string(holder.token), ""},
                            waits});
    }
    if (!lock.is_held()) {
      table.rows.push_back({{lock.name, ""},
                            {lock.closed.empty() ? "free" : "closed: " + lock.closed,
                             lock.closed.empty() ? "plain" : "busy"},
                            {"-", ""},
                            {"-", ""},
                            {std::to_string(lock.last_token), ""},
                            waits});
    }
  }
  return table;
}

Table servers_table(const DashboardLook& look) {
  Table table{.id = "servers",
              .title = "Lock servers",
              .heads = {"Server", "State", "Answers in", "Trouble"},
              .none = "No lock server is known.",
              .rows = {}};
  for (const ServerSight& server : look.servers.servers) {
    table.rows.push_back({{server.name, ""},
                          {!server.reachable ? "not reachable"
                           : server.votes    ? "up, votes"
                                             : "up, no vote",
                           !server.reachable ? "bad"
                           : server.votes    ? "good"
                                             : "busy"},
                          {shown_time(server.answer), ""},
                          {server.trouble, ""}});
  }
  return table;
}

template <class Texts>
std::string options_html(const Texts& texts) {
  std::string html;
  for (const auto& text : texts) {
    html += "<option>" + html_text(text) + "</option>";
  }
  return html;
}

// Works without the script as well.
std::string changes_html(const DashboardLook& look, const std::string& token) {
  std::vector<std::string> packages;
  for (const auto& [name, view] : look.packages) {
    packages.push_back(name);
  }
  return fmt::format(
      R"(<section id="changes"><h2>Change</h2>
<form method="post" action="/change"><input type="hidden" name="token" value="{}">
<label>Package <select name="package" required>{}</select></label>
<button name="action" value="start">Start</button>
<button name="action" value="stop">Stop</button>
<button name="action" value="maintenance-on">Maintenance on</button>
<button name="action" value="maintenance-off">Maintenance off</button>
<label>To host <select name="to"><option value="">any other</option>{}</select></label>
<button name="action" value="move">Move</button>
</form></section>
)",
      html_text(token), options_html(packages), options_html(hosts_of(look)));
}

std::string tables_html(const DashboardLook& look) {
  return table_html(packages_table(look)) + table_html(hosts_table(look)) +
         table_html(timeline_table(look)) + table_html(locks_table(look)) +
         table_html(servers_table(look));
}

}  // namespace

std::string html_text(std::string_view raw) {
  std::string html;
  for (const char c : shown_text(raw, true)) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

std::string dashboard_html(const DashboardPage& page) {
  const DashboardLook none;
  const DashboardLook& look = page.look == nullptr ? none : *page.look;
  const std::string verdict =
      page.look == nullptr ? "Looking for the lock servers." : look.servers.verdict();
  return fmt::format(
      R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>dex-lock</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<noscript><meta http-equiv="refresh" content="5"></noscript>
<style nonce="{0}">
{1}</style></head>
<body><header><h1>dex-lock</h1><p id="verdict" class="{2}">{3}</p>
<p id="age" role="status">{4}</p></header>
<main>
{5}{6}</main>
<script nonce="{0}">
{7}</script></body></html>
)",
      page.nonce, dashboard_style(),
      page.look != nullptr && look.servers.has_majority() ? "good" : "bad", html_text(verdict),
      page.look == nullptr
          ? "Nothing was seen yet."
          : fmt::format("As seen {} ago, at {}.", shown_time(page.age), shown_moment(look.at)),
      tables_html(look), page.token ? changes_html(look, *page.token) : "", dashboard_script());
}

std::string dashboard_json(const DashboardPage& page) {
  const DashboardLook none;
  const DashboardLook& look = page.look == nullptr ? none : *page.look;
  std::vector<std::string> histories;
  for (const auto& [name, history] : look.histories) {
    histories.push_back(
        JsonObject().add("name", name).add_json("history", json_answer(history)).text());
  }
  std::vector<std::string> holds;
  for (const auto& [package, view] : look.packages) {
    const auto found = look.histories.find(lock_of(package));
    for (const HoldSight& hold :
         found == look.histories.end() ? std::vector<HoldSight>{} : found->second.holds) {
      holds.push_back(JsonObject()
                          .add("package", package)
                          .add("host", host_of_hold(hold.who))
                          .add_json("hold", json_of(hold))
                          .text());
    }
  }
  JsonObject object = json_answer();
  object.add("now_ms", page.now.count());
  object.add("age_ms", page.look == nullptr ? std::nullopt : std::optional(page.age.count()));
  object.add_json("failover", failover_json(look.packages));
  object.add_json("list", json_answer(look.locks));
  object.add_json("status", json_answer(look.servers));
  object.add_json("history", json_array(histories));
  object.add_json("timeline", json_array(holds));
  return object.text() + '\n';
}

}  // namespace dexlock
