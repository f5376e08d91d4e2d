// What dex-lock top shows, as the lines of a screen.
//
// Threads: pure function.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "dexlock/inspection.hpp"

namespace dexlock {

struct TopLook {
  bool colour = true;
  bool utf8 = false;
  std::size_t columns = 80;
  std::size_t rows = 24;
};

// At most as many lines as there are rows, each no wider than the screen. What has no room is
// counted in the last line.
[[nodiscard]] std::vector<std::string> top_screen(const ServersSight& servers,
                                                  const LocksSight& locks, const std::string& time,
                                                  const TopLook& look);

}  // namespace dexlock
