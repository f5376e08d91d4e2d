// `dex-lock serve`: the native lock server as a process.
//
// Threads: one.
#pragma once

#include <span>
#include <string>

namespace dexlock {

// `words`: without the command's own name.
[[nodiscard]] int serve_command(std::span<const std::string> words);

}  // namespace dexlock
