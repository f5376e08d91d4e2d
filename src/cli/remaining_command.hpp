// `dex-lock remaining`: how long a command that runs under a lock may go on.
//
// Threads: one.
#pragma once

#include <span>
#include <string>

namespace dexlock {

[[nodiscard]] int remaining_command(std::span<const std::string> words);

}  // namespace dexlock
