// dex-lock keeper, and when commands use one.
//
// Threads: one.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "dexlock/one_shot.hpp"

namespace dexlock {

// `arguments`: without the command's own name.
[[nodiscard]] int keeper_command(std::span<const std::string> arguments);

// Nothing where none is wanted: DEXLOCK_KEEPER_IDLE is 0 or (after a complaint) no number, or this
// is a command of `run`, all of whose processes end with its lock.
[[nodiscard]] std::optional<KeeperUse> keeper_use();

}  // namespace dexlock
