// Foreign text as part of a one-line message for a terminal or a log: control bytes left out, bytes
// outside ASCII as '?', cut at `bytes_max` with "..." behind it.
//
// Threads: pure function.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dexlock {

std::string printable_line(std::string_view text, std::size_t bytes_max);

}  // namespace dexlock
