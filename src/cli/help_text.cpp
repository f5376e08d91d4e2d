#include "cli/help_text.hpp"

#include <algorithm>

#include "cli/overview.hpp"

namespace dexlock {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kTextAt = 26;  // column of an option's text

// `text` in lines that begin at column `at`, where the first one begins after `head`.
std::string wrapped(const std::string& head, std::size_t at, std::string_view text) {
  std::string out = head;
  std::size_t column = head.size();
  const auto new_line = [&] {
    out += '\n' + std::string(at, ' ');
    column = at;
  };
  if (column > 0 && column + 1 > at) {
    new_line();
  } else {
    out.append(at - column, ' ');
    column = at;
  }
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (column > at && column + 1 + word.size() > kColumns) {
      new_line();
    }
    if (column > at) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out + '\n';
}

std::string listed(const OptionText& option) {
  const bool long_only = option.names.front().starts_with("--");
  return wrapped((long_only ? "      " : "  ") + option_usage(option), kTextAt,
                 option_meaning(option));
}

std::string section_shown(const SectionText& section) {
  std::string out = section.title + ":\n";
  for (const std::string& line : section.lines) {
    const auto entry = entry_of(section, line);
    out += entry ? wrapped("  " + entry->first, kTextAt, entry->second) : line + '\n';
  }
  return out;
}

}  // namespace

std::string arguments_text(const CommandText& command) {
  std::string text = "[OPTION]...";
  for (const OptionText& option : command.options) {
    if (option.required) {
      text += ' ' + option_usage(option) + (option.repeats ? "..." : "");
    }
  }
  for (const OptionText& argument : command.arguments) {
    const std::string name = argument.names.front() + (argument.repeats ? "..." : "");
    text += ' ' + (argument.required ? name : '[' + name + ']');
  }
  return text;
}

std::string option_usage(const OptionText& option) {
  std::string text;
  for (const std::string& name : option.names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return option.value.empty() ? text : text + ' ' + option.value;
}

std::string option_meaning(const OptionText& option) {
  std::string text = option.text;
  const bool told = std::ranges::all_of(option.choices, [&](const std::string& choice) {
    return text.find(choice) != std::string::npos;
  });
  if (!told) {
    std::string choices;
    for (const std::string& choice : option.choices) {
      choices += (choices.empty() ? "" : ", ") + choice;
    }
    text += ": " + choices;
  }
  if (!option.initial.empty()) {
    text += "; default: " + option.initial;
  }
  return text;
}

std::string help_text(const CommandText& command) {
  std::string out = "usage: " + command.called + ' ' + arguments_text(command) + "\n\n" +
                    wrapped("", 0, command.description) + '\n';
  for (const OptionText& argument : command.arguments) {
    out += wrapped("  " + argument.names.front(), kTextAt, option_meaning(argument));
  }
  if (!command.arguments.empty()) {
    out += '\n';
  }
  for (const OptionText& option : command.options) {
    out += listed(option);
  }
  for (const SectionText& section : command.sections) {
    out += '\n' + section_shown(section);
  }
  return out;
}

std::string overview_text(std::span<const CommandText> commands) {
  std::string out =
      "usage: dex-lock COMMAND [OPTION]... [ARGUMENT]...\n"
      "       dex-lock COMMAND --help\n"
      "       dex-lock --version\n";
  std::vector<std::string> groups;
  for (const CommandText& command : commands) {
    if (std::ranges::find(groups, command.group) == groups.end()) {
      groups.push_back(command.group);
    }
  }
  for (const std::string& group : groups) {
    out += '\n' + group + ":\n";
    for (const CommandText& command : commands) {
      if (command.group == group) {
        out += wrapped("  " + command.word, 21, command.summary);
      }
    }
  }
  for (const SectionText& section : sections_of(kOverview)) {
    if (section.title == "examples") {
      out += '\n' + section_shown(section);
    }
  }
  out += "\nexit status:\n";
  for (const ExitStatusText& row : kExitStatuses) {
    const std::string number = std::to_string(static_cast<int>(row.status));
    out += wrapped(std::string(5 - number.size(), ' ') + number, 7,
                   std::string(row.commands) + ": " + std::string(row.meaning));
  }
  return out;
}

}  // namespace dexlock
