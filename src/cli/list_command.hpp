// dex-lock list: all locks, or those that a pattern names.
//
// Threads: one.
#pragma once

#include <span>
#include <string>

namespace dexlock {

// `words`: without the command's own name.
[[nodiscard]] int list_command(std::span<const std::string> words);

}  // namespace dexlock
