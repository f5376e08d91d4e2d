// Changes what operators want of a package, for all hosts.
//
// Threads: any; blocks until it is done or the limit has passed.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "dexlock/error.hpp"
#include "package/package_records.hpp"

namespace dexlock {

// Under a lock of its own: of two changes at once none is lost. What was stored. Errors: those of
// Lease::acquire() and Lease::set_value().
[[nodiscard]] Result<ControlRecord> change_control(
    const std::string& package, std::chrono::milliseconds limit,
    const std::function<void(ControlRecord&)>& change);

}  // namespace dexlock
