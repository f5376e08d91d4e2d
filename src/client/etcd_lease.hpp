// The lease of etcd by which records that nobody uses are removed: who frees a lock writes its
// record with the present one, who takes it writes it without. It is never renewed. So that not
// every release needs a lease of its own, many locks share one in one part of the time; and so that
// etcd has not too much to remove at once, there are several. Its id follows from the prefix, that
// part, and some bits of the name; clients whose clocks differ have different ones.
//
// Threads: pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace dexlock {

struct IdleLease {
  std::int64_t id = 0;
  std::int64_t seconds = 0;  // at least `idle` from any moment of its part of the time
};

// `wall_time`: since 1970.
[[nodiscard]] IdleLease idle_lease(std::string_view prefix, std::string_view name,
                                   std::chrono::seconds idle, std::chrono::milliseconds wall_time);

}  // namespace dexlock
