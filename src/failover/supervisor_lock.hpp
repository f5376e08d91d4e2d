// Who supervises a package on this host: the one process that holds a file of the package's
// directory locked, with its number inside.
//
// Threads: any.
#pragma once

#include <filesystem>

#include "dexlock/error.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

// Held as long as the descriptor is open. held_by_other: another process does it; io.
[[nodiscard]] Result<UniqueFd> lock_as_supervisor(const std::filesystem::path& directory);

// The process that supervises in `directory`; 0: none.
[[nodiscard]] int supervisor_in(const std::filesystem::path& directory);

}  // namespace dexlock
