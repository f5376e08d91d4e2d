// dex-lock show: what is known of one lock, as show-lock tells it, or as JSON.
//
// Threads: one.
#pragma once

#include <span>
#include <string>

namespace dexlock {

// `words`: without the command's own name.
[[nodiscard]] int show_command(std::span<const std::string> words);

}  // namespace dexlock
