// dex-lock keeper, and when commands use one.
//
// Threads: one.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "dexlock/one_shot.hpp"

namespace dexlock {

// `arguments`: without the command's own name.
[[nodiscard]] int keeper_command(std::span<const std::string> arguments);

// Nothing where none is wanted: DEXLOCK_KEEPER_IDLE is 0 or no number, or this is a command of
// `run`, all of whose processes end with its lock. `program`: dex-lock, by its path. `note`: if
// there is something to say about that.
[[nodiscard]] std::optional<KeeperUse> keeper_use(const std::filesystem::path& program,
                                                  std::string& note);
// This program is dex-lock; and what there is to say is said.
[[nodiscard]] std::optional<KeeperUse> keeper_use();

}  // namespace dexlock
