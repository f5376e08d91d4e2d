// The commands of dex-lock: arguments in, exit status out.
//
// Threads: one; called from main().
#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace dexlock {

// Runs the command that the name of the program (`get-lock`) or its first argument names.
[[nodiscard]] int run_command_line(int argc, char** argv);

// Prints `text` and returns the status of that: a full disk or a closed pipe is an error.
[[nodiscard]] int print(const std::string& text, std::FILE* to = stdout);

// One line with its newline, with the program's name in front and nothing in it that a terminal
// would obey.
[[nodiscard]] std::string complaint(const std::string& text);
// The same to stderr.
void complain(const std::string& text);

// The same, unless whoever reads it has stopped reading: for those who must not be kept waiting.
void complain_at_once(const std::string& text);
// It has not.
[[nodiscard]] bool stderr_takes_more();

}  // namespace dexlock
