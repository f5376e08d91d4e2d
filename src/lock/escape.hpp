// Free text inside fields: everything outside [A-Za-z0-9._@/+-] becomes %XX, so that a field holds
// no blank, separator, backslash or control byte, whatever shell or line it passes through.
//
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dexlock {

std::string escape_text(std::string_view raw);

// Nothing when `escaped` is not the canonical form that escape_text makes.
std::optional<std::string> unescape_text(std::string_view escaped);

}  // namespace dexlock
