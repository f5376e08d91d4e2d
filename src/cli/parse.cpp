#include "cli/parse.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "cli/command_line.hpp"
#include "dexlock/exit_status.hpp"

namespace dexlock {

std::optional<int> parse_words(CLI::App& app, std::span<const std::string> words) {
  std::vector<std::string> reversed(words.rbegin(), words.rend());
  try {
    app.parse(std::move(reversed));
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return static_cast<int>(std::fflush(stdout) == 0 ? ExitStatus::ok : ExitStatus::damaged);
  } catch (const CLI::ParseError& error) {
    complain(app.get_name() + ": " + error.what() + "; see " + app.get_name() + " --help");
    return static_cast<int>(ExitStatus::usage);
  }
}

bool read_duration(const std::string& text, const DurationLimits& limits, const std::string& what,
                   std::chrono::milliseconds& value) {
  const auto parsed = parse_duration(text, limits, what);
  if (!parsed) {
    complain(parsed.error().text);
    return false;
  }
  value = *parsed;
  return true;
}

}  // namespace dexlock
