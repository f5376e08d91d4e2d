// One lock of several, whichever is granted first. All of them are waited for at once, so that this
// process stands in line for each; they are asked for one after the other, the next when the one
// before says that it waits, so that where one is free mostly no second one is granted. If two are
// granted all the same, the later one is given up at once.
//
// Threads: as Lease. `acquire` is called on several threads at once.
// Never does: returns while a second lock may still be held here.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dexlock/lease.hpp"

namespace dexlock {

using AcquireOne =
    std::function<Result<std::unique_ptr<Lease>>(LeaseOptions options, std::stop_token stop)>;

// Asks for `names` in that order. Requires: there are some, and check_names() has nothing against
// them.
[[nodiscard]] Result<std::unique_ptr<Lease>> first_granted(const LeaseOptions& options,
                                                           const std::vector<std::string>& names,
                                                           const AcquireOne& acquire,
                                                           const std::stop_token& stop);

}  // namespace dexlock
