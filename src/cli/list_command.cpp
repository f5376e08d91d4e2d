#include "cli/list_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/command_line.hpp"
#include "cli/look_options.hpp"
#include "cli/shown_text.hpp"
#include "cli/sights_json.hpp"
#include "cli/status_of.hpp"
#include "dexlock/exit_status.hpp"

namespace dexlock {
namespace {

std::string table(const std::vector<LockSight>& locks) {
  constexpr std::size_t kNameColumnsMax = 40;
  std::size_t width = 4;
  for (const LockSight& lock : locks) {
    width = std::max(width, std::min(lock.name.size(), kNameColumnsMax));
  }
  std::string text;
  const auto row = [&](std::string_view name, std::string_view state, std::string_view token,
                       std::string_view age, std::string_view waiting, std::string_view holder) {
    text += fmt::format("{:<{}}  {:<6}  {:>6}  {:>8}  {:>4}  {}\n", name, width, state, token, age,
                        waiting, holder);
  };
  row("LOCK", "STATE", "TOKEN", "BEAT", "WAIT", "HOLDER");
  for (const LockSight& lock : locks) {
    const std::string waiting = std::to_string(lock.waiters.size());
    const std::string closed = lock.closed.empty() ? "" : "(" + shown_text(lock.closed) + ")";
    for (const HolderSight& holder : lock.holders) {
      const std::string lapse = holder.lapsed ? " (" + holder.lapse() + ")" : "";
      row(lock.name, holder.lapsed ? "lapsed" : "held", std::to_string(holder.token),
          shown_time(holder.heartbeat_age), waiting,
          shown_text(holder.who) + lapse + (closed.empty() ? "" : ' ' + closed));
    }
    if (!lock.is_held()) {
      row(lock.name, closed.empty() ? "free" : "closed", std::to_string(lock.last_token), "-",
          waiting, closed.empty() ? "-" : closed);
    }
  }
  return text;
}

}  // namespace

int list_command(std::span<const std::string> words) {
  CLI::App app(
      "Lists all locks that any reachable lock server knows, by the newest record of each. TOKEN: "
      "of the holder, or the last one given. BEAT: how old the holder's heartbeat is, where that "
      "is known (of holders on this machine). WAIT: how many stand in line. lapsed: the holder's "
      "lease is over, as far as this host has seen; whoever asks may take the lock over.",
      "dex-lock list");
  app.group("See what is held");
  app.footer(R"(examples:
  # all that a server knows
  dex-lock list
  # names of the held ones, for a script
  dex-lock list --json 'db/*' | jq -r '.locks[] | select(.holders != []) | .name'
)");
  std::string pattern = "*";
  LookOptions look;
  app.add_option("PATTERN", pattern,
                 "only names that match it, as in the shell: db/*; a * matches slashes as well")
      ->type_name("PATTERN");
  look.add_to(app);
  if (const auto status = parse_words(app, words)) {
    return *status;
  }
  InspectorOptions options;
  if (!look.read(options)) {
    return static_cast<int>(ExitStatus::usage);
  }
  const auto inspector = Inspector::open(options);
  const auto sight = inspector ? (*inspector)->locks(pattern)
                               : Result<LocksSight>(std::unexpected(inspector.error()));
  if (!sight) {
    complain(sight.error().text);
    return status_of(sight.error());
  }
  const int status = status_after(sight->servers, sight->troubles);
  if (!sight->servers.usable) {
    return status;
  }
  const int said = print(look.json ? json_answer(*sight) + '\n' : table(sight->locks));
  return said != 0 ? said : status;
}

}  // namespace dexlock
