// What a record says of the value stored with its lock.
//
// Threads: pure functions.
#pragma once

#include <optional>

#include "dexlock/value.hpp"
#include "lock/record.hpp"

namespace dexlock {

[[nodiscard]] std::optional<StoredValue> stored_value(const Record& record);

// bad_argument: it is too long.
[[nodiscard]] Result<void> check_value(const std::string& text);

}  // namespace dexlock
