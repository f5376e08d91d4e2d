// The home directory of the user this process runs as.
//
// Threads: any; reads the environment and the user database.
#pragma once

#include <filesystem>
#include <optional>

namespace dexlock {

// $HOME, or where it is unset, empty or relative: the user database's.
std::optional<std::filesystem::path> home_directory();

// The first of $HOME and the user database's that is a directory of this user. sudo and others
// leave the caller's HOME standing: what belongs to one user must not depend on who called.
std::optional<std::filesystem::path> own_home_directory();

}  // namespace dexlock
