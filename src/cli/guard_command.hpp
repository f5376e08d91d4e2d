// dex-lock guard: a command at a resource, unless a newer fencing token has been there.
//
// Threads: one.
#pragma once

#include <span>
#include <string>

namespace dexlock {

// `words`: without "guard". Becomes the command, or returns one of ExitStatus.
[[nodiscard]] int guard_command(std::span<const std::string> words);

}  // namespace dexlock
