// What a server's greeting tells a link, whatever carried it.
//
// Threads: pure functions.
#pragma once

#include <string>

#include "client/link.hpp"
#include "wire/greeting_line.hpp"

namespace dexlock {

[[nodiscard]] LinkGreeting told_greeting(const Greeting& greeting);

// `shown`: the server, for messages.
[[nodiscard]] Error told_trouble(const std::string& shown, const GreetingTrouble& trouble);

}  // namespace dexlock
