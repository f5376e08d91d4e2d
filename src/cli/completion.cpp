#include "cli/completion.hpp"

#include <algorithm>
#include <array>
#include <csignal>

#include "cli/signal_names.hpp"

namespace dexlock {

ValueKind kind_of_value(const OptionText& option) {
  struct Named {
    std::string_view value;
    ValueKind kind;
  };
  constexpr std::array kKinds{
      Named{"NAME", ValueKind::lock},      Named{"PATTERN", ValueKind::lock},
      Named{"SIGNAL", ValueKind::signal},  Named{"HOST", ValueKind::host},
      Named{"FILE", ValueKind::file},      Named{"DIRECTORY", ValueKind::directory},
      Named{"COMMAND", ValueKind::command}};
  if (!option.choices.empty()) {
    return ValueKind::choice;
  }
  const auto* const found = std::ranges::find(kKinds, option.value, &Named::value);
  return found == kKinds.end() ? ValueKind::none : found->kind;
}

std::string lock_list_command(std::span<const CommandText> commands) {
  const bool can_list = std::ranges::find(commands, "list", &CommandText::word) != commands.end();
  return can_list ? "timeout 2 dex-lock list 2>/dev/null </dev/null | sed '1d; s/ .*//'" : "true";
}

std::string signal_words() {
  std::string words;
  for (int number = 1; number < SIGSYS; ++number) {
    words += (words.empty() ? "" : " ") + signal_name(number);
  }
  return words;
}

std::string joined(std::span<const std::string> words, std::string_view between) {
  std::string text;
  for (const std::string& word : words) {
    text.append(text.empty() ? "" : between).append(word);
  }
  return text;
}

std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? "'\\''" : std::string{c};
  }
  return out + "'";
}

}  // namespace dexlock
