// Reads one small configuration file whole.
//
// Never does: wait (a FIFO or device in its place is refused), read more than kConfigFileBytesMax.
// Threads:    any.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "dexlock/error.hpp"

namespace dexlock {

inline constexpr std::size_t kConfigFileBytesMax = 64 * 1024;

// Why a configuration file cannot be used, with its name: bad_config.
std::unexpected<Error> refuse_config(const std::filesystem::path& file, std::string_view why);

// Nothing: there is no such file. bad_config: there is something that cannot be used, and why.
Result<std::optional<std::string>> read_config_file(const std::filesystem::path& path);

}  // namespace dexlock
