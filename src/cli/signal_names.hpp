// Signals by name (TERM, SIGTERM) or number.
//
// Threads: pure function.
#pragma once

#include <optional>
#include <string_view>

namespace dexlock {

[[nodiscard]] std::optional<int> signal_number(std::string_view text);

}  // namespace dexlock
