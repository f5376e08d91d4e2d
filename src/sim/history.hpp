// Histories of real runs, as text: what clients asked of locks and were told, one operation a line,
// in any order; `#` begins a comment. Fields are separated by blanks.
//
//   LOCK CLIENT get TOKEN INVOKED ANSWERED held       CLIENT was told that it has the lock
//   LOCK CLIENT get - INVOKED ANSWERED no             it was told that it has not
//   LOCK CLIENT release TOKEN INVOKED ANSWERED done   it was told that it has given up the lock
//   LOCK CLIENT lost TOKEN INVOKED ANSWERED done      it stopped its work by itself, in that time
//   LOCK CLIENT change BASE>NEXT INVOKED ANSWERED done   a plain register: BASE became NEXT
//   LOCK CLIENT read VALUE INVOKED ANSWERED done      a plain register: VALUE stood there
//
// INVOKED and ANSWERED are nanoseconds of one clock. Where nothing was told, ANSWERED is `?` and
// the outcome `unknown` (and TOKEN `-` if it is not known either). A plain register starts as
// `nil`, a lock as free.
//
// A lock is a register of (holder, last token): `get` needs a free lock and a token above the last,
// or finds itself the holder of that very token; `release` and `lost` free it, or come too late and
// change nothing.
//
// Threads: pure functions.      Never does: I/O.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dexlock/error.hpp"
#include "sim/linearizability.hpp"

namespace dexlock::sim {

struct History {
  std::string lock;
  bool plain_register = false;
  std::vector<TimedOperation> operations;
  std::vector<std::size_t> lines;  // where each stands in the text
};

// One for each lock. Errors name the line.
[[nodiscard]] Result<std::vector<History>> parse_histories(std::string_view text);

}  // namespace dexlock::sim
