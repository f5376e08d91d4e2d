// What servers show of a lock, put into words for people and programs that look on.
//
// Threads: pure functions, but for the name of this host.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "client/silence.hpp"
#include "dexlock/inspection.hpp"
#include "register/message.hpp"

namespace dexlock {

struct ShownState {
  State state;
  bool same_machine = false;  // whoever holds the lock there is on this machine
  std::size_t server = 0;     // of those that are configured
  Instant at;                 // received then
};

// By the newest record of `shown`; heartbeats and waiters of all of them. `servers`: so many are
// configured. `silence`: has seen all of `shown`.
[[nodiscard]] LockSight lock_sight(const std::string& name, const std::vector<ShownState>& shown,
                                   std::size_t servers, const Silence& silence);

[[nodiscard]] std::string_view end_word(EndKind how);

}  // namespace dexlock
