// The value stored with a lock, as anybody may read it. Its holder stores it: Lease::set_value().
//
// Threads: any; the call blocks until it is done or `limit` has passed.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "dexlock/api.hpp"
#include "dexlock/error.hpp"

namespace dexlock {

struct StoredValue {
  std::string text;
  std::uint64_t token = 0;  // of the holder that stored it
  bool by_holder = false;   // which is listed as the holder still

  friend bool operator==(const StoredValue&, const StoredValue&) = default;
};

// The newest value that a majority has: none that was stored before this call is missed, and none
// is returned that a later call could miss. Nothing: none was ever stored. Errors: no_quorum,
// bad_config, not_permitted, bad_argument, io.
DEXLOCK_API [[nodiscard]] Result<std::optional<StoredValue>> read_value(
    const std::string& name, std::chrono::milliseconds limit = std::chrono::seconds(10));

}  // namespace dexlock
