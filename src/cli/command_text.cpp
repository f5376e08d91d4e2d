#include "cli/command_text.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <set>

#include "cli/parse.hpp"
#include "lock/invariant.hpp"

namespace dexlock {
namespace {

std::vector<std::string> split_text(std::string_view text, std::string_view between) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(between, at), text.size());
    parts.emplace_back(text.substr(at, end - at));
    at = end + between.size();
  }
  return parts;
}

// CLI11 describes a set as {a,b} or {a->0,b->1}.
std::vector<std::string> choices_in(std::string_view checks) {
  const std::size_t open = checks.find('{');
  const std::size_t close = checks.find('}');
  std::vector<std::string> choices;
  if (open == std::string_view::npos || close == std::string_view::npos) {
    return choices;
  }
  for (const std::string& item : split_text(checks.substr(open + 1, close - open - 1), ",")) {
    choices.push_back(item.substr(0, item.find("->")));
  }
  return choices;
}

// "UINT in [1 - 1000]": which numbers.
std::string range_in(std::string_view checks) {
  const std::size_t open = checks.find(" in [");
  const std::size_t close = checks.find(']');
  if (open == std::string_view::npos || close == std::string_view::npos) {
    return "";
  }
  const auto ends = split_text(checks.substr(open + 5, close - open - 5), " - ");
  return ends.front() + " to " + ends.back();
}

std::string names_of(const std::set<CLI::Option*>& options) {
  std::set<std::string> names;
  for (const CLI::Option* option : options) {
    names.insert(option->get_name(false, false));
  }
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

std::string value_name(const CLI::Option& option, std::string_view type) {
  if (!option.get_option_text().empty()) {
    return option.get_option_text();
  }
  return type == "UINT" || type == "INT" || type == "FLOAT" ? "NUMBER" : std::string(type);
}

OptionText option_text(const CLI::Option& option) {
  OptionText out{.text = option.get_description(), .initial = option.get_default_str()};
  const std::string full = option.get_type_name();
  const std::size_t checks_at = std::min(full.find(':'), full.size());
  const std::string_view type = std::string_view(full).substr(0, checks_at);
  const std::string_view checks = std::string_view(full).substr(checks_at);
  out.required = option.get_required();
  out.repeats = option.get_expected_max() >= CLI::detail::expected_max_vector_size;
  out.choices = choices_in(checks);
  if (option.get_positional()) {
    out.names = {option.get_name(true, false)};
    out.value = type == "TEXT" ? out.names.front() : value_name(option, type);
    return out;
  }
  out.names = split_text(option.get_name(false, true), ",");
  for (std::string& name : out.names) {
    name.resize(std::min(name.find('{'), name.size()));  // of a flag: what it sets
  }
  if (option.get_type_size() != 0 && option.get_expected_max() != 0) {
    out.value = value_name(option, type);
  }
  if (const std::string range = range_in(checks); !range.empty()) {
    out.text += " (" + range + ")";
  }
  if (const std::string needed = names_of(option.get_needs()); !needed.empty()) {
    out.text += "; needs " + needed;
  }
  if (const std::string others = names_of(option.get_excludes()); !others.empty()) {
    out.text += "; not with " + others;
  }
  return out;
}

}  // namespace

std::vector<SectionText> sections_of(std::string_view text) {
  std::vector<SectionText> sections;
  for (std::string& line : split_text(text, "\n")) {
    if (line.empty()) {
      continue;
    }
    if (line.front() != ' ') {
      sections.push_back({.title = line.substr(0, line.find_last_not_of(':') + 1), .lines = {}});
      continue;
    }
    INVARIANT(!sections.empty());
    sections.back().lines.push_back(std::move(line));
  }
  return sections;
}

std::optional<std::pair<std::string, std::string>> entry_of(const SectionText& section,
                                                            const std::string& line) {
  constexpr std::size_t kIndent = 2;
  const std::size_t gap = line.find("  ", kIndent);
  if (section.title == "examples" || gap == std::string::npos) {
    return std::nullopt;
  }
  return std::pair(line.substr(kIndent, gap - kIndent),
                   line.substr(line.find_first_not_of(' ', gap)));
}

CommandText command_text(const CLI::App& app) {
  CommandText out{.called = app.get_name(),
                  .group = app.get_group() == "Subcommands" ? "more" : app.get_group(),
                  .description = app.get_description(),
                  .sections = sections_of(app.get_footer())};
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) {
      continue;
    }
    OptionText text = option_text(*option);
    if (option == app.get_help_ptr()) {
      text.text = "show this help";
    }
    (option->get_positional() ? out.arguments : out.options).push_back(std::move(text));
  }
  return out;
}

CommandText command_text(const Command& command) {
  CommandText out;
  see_app(command.run, [&](const CLI::App& app) { out = command_text(app); });
  out.word = command.name;
  out.is_link = command.is_link;
  out.summary = command.summary;
  return out;
}

std::vector<CommandText> all_command_texts() {
  std::vector<CommandText> texts;
  for (const Command& command : all_commands()) {
    texts.push_back(command_text(command));
  }
  return texts;
}

bool concerns(const ExitStatusText& row, std::string_view word) {
  constexpr std::string_view kAllBut = "all but ";
  if (row.commands == "all") {
    return true;
  }
  const bool but = row.commands.starts_with(kAllBut);
  const auto named = split_text(row.commands.substr(but ? kAllBut.size() : 0), ", ");
  return (std::ranges::find(named, word) != named.end()) != but;
}

}  // namespace dexlock
