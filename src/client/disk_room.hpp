// Whether a file system has room enough for a store or a state directory.
//
// Threads: pure function.
#pragma once

#include <cstdint>
#include <optional>

#include "dexlock/examination.hpp"

namespace dexlock {

[[nodiscard]] Diagnosis judged_room(std::optional<std::uint64_t> free_bytes,
                                    std::optional<std::uint64_t> free_inodes);

}  // namespace dexlock
