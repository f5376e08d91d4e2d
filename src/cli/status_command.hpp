// dex-lock status: the lock servers, and whether locks can be had.
//
// Threads: one.
#pragma once

#include <span>
#include <string>

namespace dexlock {

// `words`: without the command's own name.
[[nodiscard]] int status_command(std::span<const std::string> words);

}  // namespace dexlock
