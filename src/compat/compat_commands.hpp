// dex-init, dex-lock, dex-release, dex-show, dex-previous and dex-server-init, as the failover
// cluster manager back-to-work calls them: docs/back-to-work.md.
//
// Invariants:  dex-lock ends with 0 only if the caller holds the lock; it prints nothing unless it
//              is asked to or its arguments are wrong.
// Threads:     one; called from main().
#pragma once

#include <span>
#include <string>

#include "compat/compat_place.hpp"

namespace dexlock {

// `words`: what stands behind the command's name.
[[nodiscard]] int run_compat_command(const CompatPlace& place, std::span<const std::string> words);

}  // namespace dexlock
