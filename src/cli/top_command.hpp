// dex-lock top: the servers and the held locks, live on a full screen.
//
// Threads: one, and one that looks while it runs.
#pragma once

#include <span>
#include <string>

namespace dexlock {

// `words`: without the command's own name.
[[nodiscard]] int top_command(std::span<const std::string> words);

}  // namespace dexlock
