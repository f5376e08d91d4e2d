// One line at the foot of a terminal that says why something waits, and for how long it has;
// nothing of it stays.
//
// Threads: tell() any; the rest: one.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace dexlock {

class WaitingLine {
 public:
  // stderr is a terminal that can take a line back.
  [[nodiscard]] static bool possible();

  explicit WaitingLine(std::string what) : what_(std::move(what)) {}
  ~WaitingLine();
  WaitingLine(const WaitingLine&) = delete;
  WaitingLine& operator=(const WaitingLine&) = delete;

  // `takeover`: from now on, at the earliest.
  void tell(const std::string& why, std::optional<std::chrono::milliseconds> takeover);
  // Writes it anew, cut to the width of the terminal, if there is a reason.
  void show();

 private:
  std::string what_;
  std::mutex mutex_;
  std::string why_;  // guarded by mutex_, as the next
  std::optional<std::chrono::steady_clock::time_point> takeover_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

}  // namespace dexlock
