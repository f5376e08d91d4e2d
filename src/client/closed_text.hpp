// Why a lock is not granted although nobody may be holding it, in one line for people.
//
// Threads: pure function.
#pragma once

#include <string>

#include "session/session.hpp"

namespace dexlock {

[[nodiscard]] std::string closed_text(const Closed& closed);

}  // namespace dexlock
