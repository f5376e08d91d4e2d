// Lines for a log, written by a thread of their own: whoever reads the log may be slow or stopped,
// and who has a line to tell is never kept waiting.
//
// Invariants:  at most `bytes_max` wait beside what is being written. Lines for which there is no
// room are left out, and how many
//              is told in their place once there is room.
// Threads:     put() any.
// Never does:  close the descriptor; wait longer than kLogEndLimit at the end.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace dexlock {

inline constexpr std::size_t kLogBytesMax = 1024 * 1024;
inline constexpr std::chrono::seconds kLogEndLimit{1};

class LogWriter {
 public:
  explicit LogWriter(int fd, std::size_t bytes_max = kLogBytesMax);
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  ~LogWriter();  // what waits is written, if that takes no longer than kLogEndLimit

  // Without a newline; as complain() shows it.
  void put(const std::string& text);

 private:
  struct Queue;

  std::shared_ptr<Queue> queue_;  // outlives this where the thread hangs in a write
};

}  // namespace dexlock
