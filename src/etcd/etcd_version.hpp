// Which versions of etcd do: comparisons of ranges and chosen numbers of watches came with 3.4.
//
// Threads: pure functions.
#pragma once

#include <string_view>

namespace dexlock {

// "MAJOR.MINOR.PATCH"; of what cannot be read nothing is said.
[[nodiscard]] bool is_too_old(std::string_view version);

}  // namespace dexlock
