// INVARIANT(x): a check for our own bugs, always compiled in. A false one prints file and line and
// aborts. Bytes from a network or a file must never be able to reach one: those are refused as
// values instead.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace dexlock {

[[noreturn]] inline void invariant_failed(const char* text, const char* file, int line) {
  std::fprintf(stderr, "dex-lock: bug: invariant does not hold: %s (%s:%d)\n", text, file, line);
  std::abort();
}

}  // namespace dexlock

#define INVARIANT(x) \
  (static_cast<bool>(x) ? void() : ::dexlock::invariant_failed(#x, __FILE__, __LINE__))
