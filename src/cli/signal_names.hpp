// Signals by name (TERM, SIGTERM) or number.
//
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dexlock {

[[nodiscard]] std::optional<int> signal_number(std::string_view text);
[[nodiscard]] std::string signal_name(int signal);  // without SIG, where it has a name

}  // namespace dexlock
