#include "cli/parse.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/command_text.hpp"
#include "cli/help_text.hpp"
#include "dexlock/exit_status.hpp"
#include "lock/invariant.hpp"

namespace dexlock {
namespace {

const std::function<void(const CLI::App&)>* seer = nullptr;  // of see_app(), while it lasts

// `--owner=$UNSET NAME`: CLI11 would take the NAME for the owner, and another lock would be used.
// Where a command follows, what stands behind the first plain word may be the command's.
std::optional<std::string> option_without_value(const CLI::App& app,
                                                std::span<const std::string> words) {
  for (const std::string& word : words) {
    if (!word.starts_with('-') && app.get_positionals_at_end()) {
      break;
    }
    if (word.starts_with("--") && word.find('=') == word.size() - 1) {
      return word;
    }
  }
  return std::nullopt;
}

// `--watchdog "$UNSET"`: as if it had not been given, a command would run unguarded.
std::optional<std::string> empty_option(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    const bool takes_value = !option->get_positional() && option->get_type_size() != 0;
    if (takes_value && std::ranges::any_of(option->results(), &std::string::empty)) {
      return option->get_name(false, false);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<int> parse_words(CLI::App& app, std::span<const std::string> words) {
  if (seer != nullptr) {
    (*seer)(app);
    return static_cast<int>(ExitStatus::ok);
  }
  if (const auto word = option_without_value(app, words)) {
    complain(*word + " has no value; see " + app.get_name() + " --help");
    return static_cast<int>(ExitStatus::usage);
  }
  std::vector<std::string> reversed(words.rbegin(), words.rend());
  try {
    app.parse(std::move(reversed));
    if (const auto option = empty_option(app)) {
      complain(*option + " is empty; give it a value, or leave it out");
      return static_cast<int>(ExitStatus::usage);
    }
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    return print(help_text(command_text(app)));
  } catch (const CLI::ParseError& error) {
    complain(std::string(error.what()) + "; see " + app.get_name() + " --help");
    return static_cast<int>(ExitStatus::usage);
  }
}

void see_app(int (*run)(std::span<const std::string> words),
             const std::function<void(const CLI::App&)>& see) {
  bool seen = false;
  const std::function<void(const CLI::App&)> once = [&](const CLI::App& app) {
    see(app);
    seen = true;
  };
  seer = &once;
  static_cast<void>(run({}));
  seer = nullptr;
  INVARIANT(seen);
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
