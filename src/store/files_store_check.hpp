// Looks over a store of plain files from the server itself, at boot before sshd starts: removes
// what crashes have left and checks every lock's files.
//
// Threads: any. May run beside live connections: what belongs to a living process is left alone.
#pragma once

#include <filesystem>
#include <string>

#include "dexlock/error.hpp"

namespace dexlock {

[[nodiscard]] bool is_files_store(const std::filesystem::path& path);

// A line for people. store_damaged: names the first damaged lock and what to do.
[[nodiscard]] Result<std::string> check_files_store(const std::filesystem::path& path);

}  // namespace dexlock
