// dex-lock history: who had a lock, from when to when, and how that ended.
//
// Threads: one.
#pragma once

#include <span>
#include <string>

namespace dexlock {

// `words`: without the command's own name.
[[nodiscard]] int history_command(std::span<const std::string> words);

}  // namespace dexlock
