// Why a lock is not granted although nobody may be holding it, in one line for people.
//
// Threads: pure functions.
#pragma once

#include <string>

#include "session/session.hpp"

namespace dexlock {

[[nodiscard]] std::string closed_text(const Closed& closed);

// "on hold: NOTE"
[[nodiscard]] std::string gate_text(const Gate& gate);

}  // namespace dexlock
