#include "cli/look_options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/command_line.hpp"
#include "dexlock/exit_status.hpp"

namespace dexlock {
namespace {

constexpr DurationLimits kPatienceLimits{std::chrono::milliseconds(10), std::chrono::hours(1)};

}  // namespace

void LookOptions::add_to(CLI::App& app, bool with_json) {
  if (with_json) {
    app.add_flag("--json", json, "one line of JSON, for programs");
  }
  app.add_option("--patience", patience,
                 "seconds after which a server that says nothing is given up")
      ->type_name("SECONDS")
      ->capture_default_str();
}

bool LookOptions::read(InspectorOptions& options) const {
  return read_duration(patience, kPatienceLimits, "--patience", options.patience);
}

int status_after(const ServersSight& servers, const std::vector<std::string>& troubles) {
  std::vector<std::string> told = servers.problems;
  for (const ServerSight& server : servers.servers) {
    told.push_back(server.trouble);
  }
  told.insert(told.end(), troubles.begin(), troubles.end());
  std::vector<std::string> once;
  for (const std::string& text : told) {
    if (!text.empty() && std::ranges::find(once, text) == once.end()) {
      complain(text);
      once.push_back(text);
    }
  }
  if (servers.has_majority()) {
    return static_cast<int>(ExitStatus::ok);
  }
  complain(servers.verdict() + "; dex-lock doctor says more");
  return static_cast<int>(servers.usable ? ExitStatus::not_held : ExitStatus::configuration);
}

}  // namespace dexlock
