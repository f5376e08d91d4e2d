// The name of a client, never used before.
//
// Threads: any.
#pragma once

#include "lock/ids.hpp"
#include "store/machine.hpp"

namespace dexlock {

inline ClientId draw_client_id() {
  constexpr std::size_t kBytes = 12;
  return {random_hex(kBytes)};
}

}  // namespace dexlock
