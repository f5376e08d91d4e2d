// Manual pages of section 1, as source for man(1).
//
// Threads: pure functions.
#pragma once

#include <span>
#include <string>

#include "cli/command_text.hpp"

namespace dexlock {

[[nodiscard]] std::string manual_page(const CommandText& command, std::span<const CommandText> all);

// dex-lock(1)
[[nodiscard]] std::string overview_page(std::span<const CommandText> all);

// `dex-lock-run`: the name of the page of `dex-lock run`.
[[nodiscard]] std::string page_name(const CommandText& command);

}  // namespace dexlock
