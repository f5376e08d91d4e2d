// A shell command of the user's that is asked or told something beside the command that runs: it
// has a limited time, and takes nothing from the terminal. It is no part of the work under a lock;
// those that are run below the sentinel.
//
// Threads: one.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cli/caught_signals.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

class Hook {
 public:
  // `option` names it to people. `settings`: NAME=VALUE, on top of this process's environment.
  Hook(std::string option, const std::string& command, const std::vector<std::string>& settings,
       std::chrono::milliseconds limit);
  ~Hook();  // kills what still runs
  Hook(const Hook&) = delete;
  Hook& operator=(const Hook&) = delete;

  // Its status as a shell has it, once it has ended; when its time is over it is killed first.
  [[nodiscard]] std::optional<int> ended();
  // Readable when it has ended.
  [[nodiscard]] int fd() const { return handle_.get(); }
  [[nodiscard]] std::chrono::nanoseconds time_left() const;

 private:
  void end();

  std::string option_;
  std::chrono::nanoseconds deadline_;
  UniqueFd handle_;
  pid_t pid_ = -1;
  std::optional<int> status_;
};

// Runs it to its end. Nothing: a signal came that ends `run`, which it tells in `signal`.
[[nodiscard]] std::optional<int> run_hook(Hook& hook, const CaughtSignals& signals, int& signal);

}  // namespace dexlock
