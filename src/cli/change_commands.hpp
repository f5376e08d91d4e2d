// break, hold, handover and migrate: what a person does to a lock.
//
// Threads: one.
#pragma once

#include <span>
#include <string>

namespace dexlock {

// `arguments`: without the command's own name.
[[nodiscard]] int break_command(std::span<const std::string> arguments);
[[nodiscard]] int hold_command(std::span<const std::string> arguments);
[[nodiscard]] int handover_command(std::span<const std::string> arguments);
[[nodiscard]] int migrate_command(std::span<const std::string> arguments);

}  // namespace dexlock
