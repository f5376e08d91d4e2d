// dex-lock run: a command under a lock, stopped before anybody else may start when the lock is
// lost.
//
// Threads: one.
#pragma once

#include <span>
#include <string>

namespace dexlock {

// `words`: without "run". The command's own exit status, or one of ExitStatus.
[[nodiscard]] int run_command(std::span<const std::string> words);

}  // namespace dexlock
