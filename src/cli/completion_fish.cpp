#include "cli/completion.hpp"

namespace dexlock {
namespace {

std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' || c == '\\' ? std::string{'\\', c} : std::string{c};
  }
  return out + "'";
}

// What is offered for a value; empty: nothing is known of it.
std::string fish_values(const OptionText& option) {
  switch (kind_of_value(option)) {
    case ValueKind::none:
      return "";
    case ValueKind::lock:
      return "(__dex_lock_locks)";
    case ValueKind::signal:
      return signal_words();
    case ValueKind::host:
      return "(__fish_print_hostnames)";
    case ValueKind::file:
      return "(__fish_complete_path)";
    case ValueKind::directory:
      return "(__fish_complete_directories)";
    case ValueKind::command:
      return "(__dex_lock_command)";
    case ValueKind::choice:
      return joined(option.choices, " ");
  }
  return "";
}

std::string option_lines(const std::string& begin, const std::string& word,
                         const OptionText& option) {
  std::string out = begin + " -n '__dex_lock_at " + word + " options'";
  for (const std::string& name : option.names) {
    out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  const std::string values = fish_values(option);
  out += option.value.empty() ? "" : " -x";
  out += values.empty() ? "" : " -a " + fish_quoted(values);
  return out + " -d " + fish_quoted(option.text) + "\n";
}

std::string lines_for(const std::string& program, const CommandText& command) {
  const std::string begin = "complete -c " + program;
  std::string out;
  for (const OptionText& option : command.options) {
    out += option_lines(begin, command.word, option);
  }
  for (std::size_t i = 0; i < command.arguments.size(); ++i) {
    const std::string values = fish_values(command.arguments[i]);
    if (!values.empty()) {
      out += begin + " -n '__dex_lock_at " + command.word + " " + std::to_string(i + 1) + "' -a " +
             fish_quoted(values) + "\n";
    }
  }
  return out;
}

// Options of `word` that have a value, and the place where somebody else's command begins.
std::string fish_table(const CommandText& command) {
  std::string out = "        case " + command.word + "\n";
  std::string valued;
  for (const OptionText& option : command.options) {
    valued += option.value.empty() ? "" : " " + joined(option.names, " ");
  }
  out += "            set valued" + valued + "\n";
  for (std::size_t i = 0; i < command.arguments.size(); ++i) {
    if (kind_of_value(command.arguments[i]) == ValueKind::command) {
      out += "            set wraps " + std::to_string(i + 1) + "\n";
    }
  }
  return out;
}

constexpr std::string_view kFishWalk = R"fish(    end
    set -l skip no
    for token in $tokens
        if test $skip = yes
            set skip no
        else if test "$token" = -- -a $wraps -gt 0
            set place $wraps
            set rest yes
        else if string match -q -- '-*' "$token"; and test $rest = no
            if contains -- "$token" $valued
                set skip yes
            end
        else
            if test $place -eq $wraps
                set rest yes
            end
            set place (math $place + 1)
        end
    end
    if test "$argv[2]" = options
        test $rest = no
    else if test "$argv[2]" -eq $wraps
        test $place -ge $wraps
    else
        test $place -eq "$argv[2]"
    end
end

# Of the command line those words that are of the command under the lock.
function __dex_lock_command
    set -l tokens (commandline -opc) (commandline -ct)
    set -l at (contains -i -- -- $tokens)
    if test -n "$at"
        complete -C (string join ' ' -- $tokens[(math $at + 1)..])
    else
        complete -C (commandline -ct)
    end
end

)fish";

}  // namespace

std::string fish_completion(std::span<const CommandText> commands) {
  std::string out =
      "# Completion of dex-lock for fish; written by `dex-lock manual --completion fish`.\n\n"
      "function __dex_lock_locks\n    " +
      lock_list_command(commands) +
      "\nend\n\n"
      "# Is this the command $argv[1], and is its place $argv[2] to be filled, or may options "
      "come?\n"
      "function __dex_lock_at\n"
      "    set -l tokens (commandline -opc)\n"
      "    set -l word (string replace -r '.*/' '' -- $tokens[1])\n"
      "    set -e tokens[1]\n"
      "    if test \"$word\" = dex-lock\n"
      "        set word $tokens[1]\n"
      "        set -e tokens[1]\n"
      "    end\n"
      "    test \"$word\" = \"$argv[1]\"; or return 1\n"
      "    set -l valued\n"
      "    set -l wraps 0\n"
      "    set -l place 1\n"
      "    set -l rest no\n"
      "    switch $word\n";
  std::string lines = "complete -c dex-lock -f\n";
  for (const CommandText& command : commands) {
    out += fish_table(command);
    lines += "complete -c dex-lock -n __fish_is_first_token -a " + command.word + " -d " +
             fish_quoted(command.summary) + "\n" + lines_for("dex-lock", command);
    if (command.is_link) {
      lines += "complete -c " + command.word + " -f\n" + lines_for(command.word, command);
    }
  }
  return out + std::string(kFishWalk) + lines;
}

}  // namespace dexlock
