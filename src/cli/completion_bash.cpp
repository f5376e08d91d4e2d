#include "cli/completion.hpp"

namespace dexlock {
namespace {

std::string bash_kind(const OptionText& option) {
  switch (kind_of_value(option)) {
    case ValueKind::none:
      return "any";
    case ValueKind::lock:
      return "lock";
    case ValueKind::signal:
      return "signal";
    case ValueKind::host:
      return "host";
    case ValueKind::file:
      return "file";
    case ValueKind::directory:
      return "directory";
    case ValueKind::command:
      return "command";
    case ValueKind::choice:
      return "choice " + joined(option.choices, " ");
  }
  return "any";
}

std::string case_line(const std::string& pattern, const std::string& words) {
  return "    " + pattern + ") echo " + shell_quoted(words) + " ;;\n";
}

// What stands behind an option, or at a place: "any", "lock", "choice a b".
std::string takes_table(std::span<const CommandText> commands) {
  std::string out =
      "_dex_lock_takes() { # COMMAND OPTION or COMMAND PLACE\n"
      "  case $1:$2 in\n";
  for (const CommandText& command : commands) {
    for (const OptionText& option : command.options) {
      if (!option.value.empty()) {
        std::string pattern;
        for (const std::string& name : option.names) {
          pattern += (pattern.empty() ? "" : " | ") + command.word + ":" + name;
        }
        out += case_line(pattern, bash_kind(option));
      }
    }
    for (std::size_t i = 0; i < command.arguments.size(); ++i) {
      const OptionText& argument = command.arguments[i];
      out += case_line(command.word + ":" + (argument.repeats ? "[0-9]*" : std::to_string(i + 1)),
                       bash_kind(argument));
    }
  }
  return out + "  esac\n}\n\n";
}

std::string options_table(std::span<const CommandText> commands) {
  std::string out =
      "_dex_lock_options() { # COMMAND\n"
      "  case $1 in\n";
  for (const CommandText& command : commands) {
    std::string words;
    for (const OptionText& option : command.options) {
      words += (words.empty() ? "" : " ") + option.names.back();
    }
    out += case_line(command.word, words);
  }
  return out + "  esac\n}\n\n";
}

constexpr std::string_view kBashRest =
    R"bash(_dex_lock_valued() { # COMMAND OPTION: the option, if the next word is its value
  if [[ $2 != *=* && -n $(_dex_lock_takes "$1" "$2") ]]; then echo "$2"; fi
}

# COMP_WORDS is cut at = : and @, which names of locks have; so words are taken from the line.
# $2 is the part of the last word that is replaced.
_dex_lock() {
  local line=${COMP_LINE:0:COMP_POINT} last command word option='' takes='' i at=1 place=1 begins=0
  local -a words
  read -ra words <<<"$line"
  [[ $line == *[[:blank:]] ]] && words+=('')
  last=$((${#words[@]} - 1))
  word=${words[last]}
  command=${words[0]##*/}
  COMPREPLY=()
  if [[ $command == dex-lock ]]; then
    if ((last == 1)); then
      mapfile -t COMPREPLY < <(compgen -W "$_dex_lock_commands --help --version" -- "$word")
      return
    fi
    command=${words[1]}
    at=2
  fi
  for ((i = at; i < last; i++)); do
    if [[ -n $option ]]; then
      option=''
    elif [[ ${words[i]} == -- ]]; then
      begins=$((i + 1))
      break
    elif [[ ${words[i]} == -* ]]; then
      option=$(_dex_lock_valued "$command" "${words[i]}")
    elif [[ $(_dex_lock_takes "$command" "$place") == command ]]; then
      begins=$i
      break
    else
      place=$((place + 1))
    fi
  done
  if ((begins)); then
    takes='command'
  elif [[ -n $option ]]; then
    takes=$(_dex_lock_takes "$command" "$option")
  elif [[ $word == --*=* ]]; then
    takes=$(_dex_lock_takes "$command" "${word%%=*}")
    word=${word#*=}
  elif [[ $word == -* ]]; then
    takes="choice $(_dex_lock_options "$command")"
  else
    takes=$(_dex_lock_takes "$command" "$place")
  fi
  case $takes in
    lock) mapfile -t COMPREPLY < <(compgen -W "$(_dex_lock_locks)" -- "$word") ;;
    signal) mapfile -t COMPREPLY < <(compgen -W "$_dex_lock_signals" -- "${word#SIG}") ;;
    host) mapfile -t COMPREPLY < <(compgen -A hostname -- "$word") ;;
    file) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    directory) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
    choice*) mapfile -t COMPREPLY < <(compgen -W "${takes#choice}" -- "$word") ;;
    command)
      if ((last > begins && begins > 0)); then
        compopt -o filenames && mapfile -t COMPREPLY < <(compgen -f -- "$word")
      else
        mapfile -t COMPREPLY < <(compgen -c -- "$word")
      fi
      ;;
  esac
  COMPREPLY=("${COMPREPLY[@]#"${word%"$2"}"}")
}

)bash";

}  // namespace

std::string bash_completion(std::span<const CommandText> commands) {
  std::string words;
  std::string programs = "dex-lock";
  for (const CommandText& command : commands) {
    words += (words.empty() ? "" : " ") + command.word;
    programs += command.is_link ? " " + command.word : "";
  }
  return "# shellcheck shell=bash\n"
         "# Completion of dex-lock for bash; written by `dex-lock manual --completion bash`.\n\n"
         "_dex_lock_commands=" +
         shell_quoted(words) + "\n_dex_lock_signals=" + shell_quoted(signal_words()) +
         "\n\n_dex_lock_locks() {\n  " + lock_list_command(commands) + "\n}\n\n" +
         takes_table(commands) + options_table(commands) + std::string(kBashRest) +
         "complete -F _dex_lock " + programs + "\n";
}

}  // namespace dexlock
