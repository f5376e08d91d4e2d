#include "cli/completion.hpp"
#include "cli/help_text.hpp"

namespace dexlock {
namespace {

// Inside [...] of a spec of _arguments.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c == '[' || c == ']' || c == ':' || c == '\\' ? std::string{'\\', c} : std::string{c};
  }
  return out;
}

std::string zsh_action(const OptionText& option) {
  switch (kind_of_value(option)) {
    case ValueKind::none:
      return " ";
    case ValueKind::lock:
      return "_dex_lock_locks";
    case ValueKind::signal:
      return "(" + signal_words() + ")";
    case ValueKind::host:
      return "_hosts";
    case ValueKind::file:
      return "_files";
    case ValueKind::directory:
      return "_files -/";
    case ValueKind::command:
      return "_command_names -e";
    case ValueKind::choice:
      return "(" + joined(option.choices, " ") + ")";
  }
  return " ";
}

std::string spec_line(const std::string& spec) { return " \\\n        " + shell_quoted(spec); }

std::string option_specs(const OptionText& option) {
  std::string out;
  const std::string others = option.repeats ? "*" : "(" + joined(option.names, " ") + ")";
  for (const std::string& name : option.names) {
    const std::string with_value = name.starts_with("--") ? "=" : "+";
    out += spec_line(
        others + name + (option.value.empty() ? "" : with_value) + "[" + zsh_text(option.text) +
        "]" +
        (option.value.empty() ? "" : ":" + zsh_text(option.value) + ":" + zsh_action(option)));
  }
  return out;
}

std::string argument_specs(const CommandText& command) {
  std::string out;
  for (std::size_t i = 0; i < command.arguments.size(); ++i) {
    const OptionText& argument = command.arguments[i];
    const std::string what = ":" + zsh_text(argument.names.front()) + ":";
    if (kind_of_value(argument) == ValueKind::command) {
      out += spec_line("*::" + what + "_normal");  // completes as on a line of its own
    } else {
      out +=
          spec_line((argument.repeats ? "*" : std::to_string(i + 1)) + what + zsh_action(argument));
    }
  }
  return out;
}

}  // namespace

std::string zsh_completion(std::span<const CommandText> commands) {
  std::string programs = "dex-lock";
  std::string described;
  std::string cases;
  for (const CommandText& command : commands) {
    programs += command.is_link ? " " + command.word : "";
    described +=
        "    " + shell_quoted(zsh_text(command.word) + ":" + zsh_text(command.summary)) + "\n";
    cases += "    " + command.word + ")\n      _arguments -s -S :";
    for (const OptionText& option : command.options) {
      cases += option_specs(option);
    }
    cases += argument_specs(command) + "\n      ;;\n";
  }
  return "#compdef " + programs +
         "\n# Completion of dex-lock for zsh; written by `dex-lock manual --completion zsh`.\n\n"
         "_dex_lock_locks() {\n  local -a locks\n  locks=(${(f)\"$(" +
         lock_list_command(commands) +
         ")\"})\n  compadd -a locks\n}\n\n"
         "_dex_lock_words() {\n  case $1 in\n" +
         cases +
         "  esac\n}\n\n"
         "_dex_lock() {\n  local command=$service\n  local -a subcommands=(\n" +
         described +
         "  )\n"
         "  if [[ $service == dex-lock ]]; then\n"
         "    if ((CURRENT == 2)); then\n"
         "      _describe -t commands command subcommands\n"
         "      compadd -- --help --version\n"
         "      return\n"
         "    fi\n"
         "    command=$words[2]\n"
         "    shift words\n"
         "    ((CURRENT--))\n"
         "  fi\n"
         "  _dex_lock_words $command\n}\n\n"
         "_dex_lock \"$@\"\n";
}

}  // namespace dexlock
