// `dex-lock dashboard`: a web page about packages, locks and lock servers.
//
// Threads: one, besides those of its parts.
#pragma once

#include <span>
#include <string>

namespace dexlock {

[[nodiscard]] int dashboard_command(std::span<const std::string> words);

}  // namespace dexlock
