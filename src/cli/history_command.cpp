#include "cli/history_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/command_line.hpp"
#include "cli/look_options.hpp"
#include "cli/shown_text.hpp"
#include "cli/sights_json.hpp"
#include "cli/status_of.hpp"
#include "dexlock/exit_status.hpp"

namespace dexlock {
namespace {

constexpr const char* kMayLack =
    "holds may be missing here: those before a crash or the loss of a server, and all but the last "
    "ones; times are of the servers' wall clocks";

std::string how_text(const std::string& how) {
  return how == "expired" ? "expired, taken over" : how == "ended" ? "ended, not known how" : how;
}

std::string table(const std::vector<HoldSight>& holds) {
  std::string text;
  const auto row = [&](std::string_view token, std::string_view from, std::string_view to,
                       std::string_view how, std::string_view who) {
    text += fmt::format("{:>6}  {:<19}  {:<19}  {:<20}  {}\n", token, from, to, how, who);
  };
  row("TOKEN", "FROM", "TO", "HOW", "WHO");
  for (const HoldSight& hold : holds) {
    row(std::to_string(hold.token), shown_moment(hold.from), shown_moment(hold.to),
        how_text(hold.how), shown_text(hold.who));
  }
  return text;
}

}  // namespace

int history_command(std::span<const std::string> words) {
  CLI::App app(
      "Shows who had the lock, the newest first, at most 20, as far as the lock servers have kept "
      "it. Servers on which nothing is installed keep none; then the present holder and the one "
      "before are known from the lock itself.",
      "dex-lock history");
  app.group("See what is held");
  app.footer(R"(examples:
  # who had it lately?
  dex-lock history backup
)");
  std::string name;
  LookOptions look;
  app.add_option("NAME", name, "the lock")->required();
  look.add_to(app);
  if (const auto status = parse_words(app, words)) {
    return *status;
  }
  InspectorOptions options;
  if (!look.read(options)) {
    return static_cast<int>(ExitStatus::usage);
  }
  const auto inspector = Inspector::open(options);
  const auto sight = inspector ? (*inspector)->history(name)
                               : Result<HistorySight>(std::unexpected(inspector.error()));
  if (!sight) {
    complain(sight.error().text);
    return status_of(sight.error());
  }
  const int status = status_after(sight->servers, sight->troubles);
  if (!sight->servers.usable) {
    return status;
  }
  if (!look.json) {
    complain(kMayLack);
  }
  const int said = print(look.json ? json_answer(*sight) + '\n' : table(sight->holds));
  return said != 0 ? said : status;
}

}  // namespace dexlock
