// The terminal on stdout as a full screen that is drawn on: another screen than the one before,
// without a cursor, and keys come one by one and are not shown.
//
// Invariants:  the terminal is as it was once this is destroyed, and also if the process ends by
//              SIGABRT, SIGSEGV or SIGBUS. (Not by SIGKILL: `reset` helps then.) Signals that ask
//              for the end are the owner's to catch.
// Threads:     one; one at a time in a process.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "dexlock/error.hpp"

namespace dexlock {

class FullScreen {
 public:
  struct Size {
    std::size_t columns = 80;
    std::size_t rows = 24;
  };

  // bad_argument: stdout is no terminal.
  static Result<void> possible();

  FullScreen();
  ~FullScreen();
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;

  [[nodiscard]] Size size() const;
  // Each line fits into a row. False: the terminal has gone away.
  [[nodiscard]] bool draw(const std::vector<std::string>& lines);
};

}  // namespace dexlock
