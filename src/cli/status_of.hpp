// The exit status that tells of an error, for all commands but run.
//
// Threads: a pure function.
#pragma once

#include "dexlock/error.hpp"

namespace dexlock {

[[nodiscard]] int status_of(const Error& error);

}  // namespace dexlock
