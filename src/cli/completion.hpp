// Completion of the commands for bash, zsh and fish, as scripts for these shells.
//
// What a value is, its name in the help tells: NAME is a lock, SIGNAL, HOST, FILE, DIRECTORY and
// COMMAND are what they say. Locks are asked for with a time limit, so that no shell ever hangs.
//
// Threads: pure functions.
#pragma once

#include <span>
#include <string>

#include "cli/command_text.hpp"

namespace dexlock {

enum class ValueKind { none, lock, signal, host, file, directory, command, choice };

[[nodiscard]] ValueKind kind_of_value(const OptionText& option);

[[nodiscard]] std::string bash_completion(std::span<const CommandText> commands);
[[nodiscard]] std::string zsh_completion(std::span<const CommandText> commands);
[[nodiscard]] std::string fish_completion(std::span<const CommandText> commands);

// Parts that the three share.

// A shell command that prints the locks that are known here, one a line; `true` if none can be
// asked.
[[nodiscard]] std::string lock_list_command(std::span<const CommandText> commands);

// TERM, HUP, ...
[[nodiscard]] std::string signal_words();

[[nodiscard]] std::string joined(std::span<const std::string> words, std::string_view between);

// 'word' for every shell.
[[nodiscard]] std::string shell_quoted(std::string_view text);

}  // namespace dexlock
