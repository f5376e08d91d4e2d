// How a lock is held: alone, together with others, or as some of a number of permits.
//
// All who use one lock at the same time must ask for it in one way; who asks for it in another one
// waits until they have left.
//
// At most 64 hold a lock at once, whatever the number of permits.
//
// Threads: plain values.
#pragma once

#include <cstdint>

namespace dexlock {

struct Sharing {
  enum class Mode { exclusive, shared, permits };

  Mode mode = Mode::exclusive;
  std::uint32_t permits = 1;  // Mode::permits: this many...
  std::uint32_t of = 1;       // ... of that many

  friend bool operator==(const Sharing&, const Sharing&) = default;
};

}  // namespace dexlock
