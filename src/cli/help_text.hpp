// What `--help` prints.
//
// Threads: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/command_text.hpp"

namespace dexlock {

[[nodiscard]] std::string help_text(const CommandText& command);

// Of dex-lock itself: the commands by purpose, and the exit statuses.
[[nodiscard]] std::string overview_text(std::span<const CommandText> commands);

// `[OPTION]... NAME [COMMAND]...`
[[nodiscard]] std::string arguments_text(const CommandText& command);

// `-v, --verbose`, `--wait SECONDS`
[[nodiscard]] std::string option_usage(const OptionText& option);

// Its text with what it is without it, and which values there are.
[[nodiscard]] std::string option_meaning(const OptionText& option);

}  // namespace dexlock
