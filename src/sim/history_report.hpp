// What `dex-lock-sim check` says of a history: a line for each register that nothing explains, then
// the verdict.
//
// Threads: a pure function.      Never does: I/O.
#pragma once

#include <string>
#include <string_view>

#include "dexlock/error.hpp"

namespace dexlock::sim {

struct HistoryReport {
  bool clean = false;  // every register was decided, and is linearizable
  std::string text;    // lines; the last is the verdict
};

// `name`: what messages call the text. Fails if the text is no history.
[[nodiscard]] Result<HistoryReport> report_on_history(const std::string& name,
                                                      std::string_view text);

}  // namespace dexlock::sim
