// What is known of the servers, for people and programs that look on.
//
// Threads: as Inspection.
#pragma once

#include "client/inspection.hpp"
#include "dexlock/inspection.hpp"

namespace dexlock {

// From what is known already.
[[nodiscard]] ServersSight servers_sight(const Inspection& inspection);

// Pings each server and asks for its facts, and waits for that.
[[nodiscard]] ServersSight look_at_servers(Inspection& inspection);

}  // namespace dexlock
