// What a command takes, read from the CLI::App that also reads its words. Help, manual pages and
// completion are written from this, so none of them can differ from what is accepted.
//
// An App carries its longer texts as its footer: lines without indentation begin a section
// (`examples`, `environment of COMMAND`); in it, `  # text` explains the `  command line` below,
// and `  WORD  text` (two blanks) explains WORD.
//
// Threads: one, as for parse_words().
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/command.hpp"
#include "dexlock/exit_status.hpp"

namespace CLI {
class App;
}

namespace dexlock {

struct OptionText {
  std::vector<std::string> names;    // "-v", "--verbose"; of an argument: its name alone
  std::string value;                 // what follows, as "SECONDS"; empty for a flag
  std::vector<std::string> choices;  // all values there are, if these are words
  std::string text;
  std::string initial;  // the value without the option; empty: none
  bool required = false;
  bool repeats = false;
};

struct SectionText {
  std::string title;
  std::vector<std::string> lines;  // with their indentation
};

struct CommandText {
  std::string called;  // "dex-lock run", "get-lock"
  std::string word;    // what stands behind "dex-lock"
  bool is_link = false;
  std::string summary;
  std::string group;
  std::string description;
  std::vector<OptionText> options;
  std::vector<OptionText> arguments;
  std::vector<SectionText> sections;
};

[[nodiscard]] CommandText command_text(const CLI::App& app);
[[nodiscard]] CommandText command_text(const Command& command);
[[nodiscard]] std::vector<CommandText> all_command_texts();

[[nodiscard]] std::vector<SectionText> sections_of(std::string_view text);

// WORD and text of a line that explains a word; nothing for another line.
[[nodiscard]] std::optional<std::pair<std::string, std::string>> entry_of(
    const SectionText& section, const std::string& line);

// Does the command `word` ever end with the status of this row?
[[nodiscard]] bool concerns(const ExitStatusText& row, std::string_view word);

}  // namespace dexlock
