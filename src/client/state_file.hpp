// Files of this user's own state: read whole, replaced whole, never synced: after a crash
// of the machine nothing in them counts, for they belong to one boot.
//
//   dex-lock-state 1 BOOT TIMENS     BOOT: the kernel's boot id; TIMENS: the time namespace of the
//   clocks CONTENT... end
//
// Threads: any; two writers at once leave one of both contents, whole.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "dexlock/error.hpp"

namespace dexlock {

// The content, if the file is whole and of this boot and time namespace; else nothing.
[[nodiscard]] std::optional<std::string> read_state_file(const std::filesystem::path& path);

// Makes missing parent directories.
[[nodiscard]] Result<void> write_state_file(const std::filesystem::path& path,
                                            std::string_view content);

// Removes files in `directory` that no one can need any more: of another boot, or untouched for
// longer than any lease lasts. Looks at a bounded number of them.
void remove_stale_state_files(const std::filesystem::path& directory);

}  // namespace dexlock
