// Text of unknown origin inside a one-line message: in double quotes, control bytes and bytes
// outside ASCII as \xNN, shortened, so that a terminal or a log shows what was there and obeys none
// of it.
//
// Threads: pure function.
#pragma once

#include <string>
#include <string_view>

namespace dexlock {

inline constexpr std::size_t kQuotedBytesMax = 60;

// Texts of more than `bytes_max` end in ... after the closing quote.
std::string quoted_text(std::string_view raw, std::size_t bytes_max = kQuotedBytesMax);

}  // namespace dexlock
