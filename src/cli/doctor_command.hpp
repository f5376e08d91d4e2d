// dex-lock doctor: what may go wrong with the locks of this host, and what to do about it.
//
// Threads: one.
#pragma once

#include <span>
#include <string>

namespace dexlock {

// `words`: without the command's own name.
[[nodiscard]] int doctor_command(std::span<const std::string> words);

}  // namespace dexlock
