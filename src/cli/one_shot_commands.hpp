// init-lock, get-lock, release-lock, show-lock and lock-server-init.
//
// Threads: one.
#pragma once

#include <span>
#include <string>

namespace dexlock {

// `arguments`: without the command's own name.
[[nodiscard]] int init_lock_command(std::span<const std::string> arguments);
[[nodiscard]] int get_lock_command(std::span<const std::string> arguments);
[[nodiscard]] int release_lock_command(std::span<const std::string> arguments);
[[nodiscard]] int show_lock_command(std::span<const std::string> arguments);
[[nodiscard]] int server_init_command(std::span<const std::string> arguments);

}  // namespace dexlock
