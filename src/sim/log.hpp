// What happened in a run: always as a hash, so that two runs can be compared; as lines of text only
// when asked, because writing them costs more than simulating.
//
// Threads: none.      Never does: print.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "lock/instant.hpp"

namespace dexlock::sim {

inline constexpr std::size_t kTraceLinesMax = 100'000;

class Log {
 public:
  explicit Log(bool tracing) : tracing_(tracing) {}

  [[nodiscard]] bool tracing() const { return tracing_; }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] const std::deque<std::string>& lines() const { return lines_; }

  void mix(std::uint64_t value) {
    hash_ = (hash_ ^ value) * 0x9E3779B97F4A7C15U;
    hash_ ^= hash_ >> 29U;
  }

  // Call only when tracing().
  void line(Nanoseconds at, const std::string& text) {
    const std::string micros = std::to_string(at.count() % 1'000'000'000 / 1000);
    lines_.push_back(std::to_string(at.count() / 1'000'000'000) + '.' +
                     std::string(6 - micros.size(), '0') + micros + "  " + text);
    if (lines_.size() > kTraceLinesMax) {
      lines_.pop_front();
    }
  }

 private:
  bool tracing_;
  std::uint64_t hash_ = 0x2545F4914F6CDD1DU;
  std::deque<std::string> lines_;
};

}  // namespace dexlock::sim
