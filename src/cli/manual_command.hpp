// `dex-lock manual`: writes the manual pages, or the completion of a shell.
//
// Threads: one.
#pragma once

#include <span>
#include <string>

namespace dexlock {

// `words`: without the command's own name.
[[nodiscard]] int manual_command(std::span<const std::string> words);

}  // namespace dexlock
