// One line on stderr, for the log, unless whoever reads that has stopped reading: nobody who keeps
// a package may be kept waiting.
//
// Threads: any.
#pragma once

#include <string>
#include <string_view>

namespace dexlock {

void say(const std::string& line);
// As it is.
void say_bytes(std::string_view bytes);

}  // namespace dexlock
