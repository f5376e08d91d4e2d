// SHA-256, from libmd.
//
// Threads: pure function.
#pragma once

#include <string>
#include <string_view>

namespace dexlock {

// 64 lower-case hexadecimal digits.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

}  // namespace dexlock
