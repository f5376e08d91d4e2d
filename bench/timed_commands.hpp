// Runs commands and tells how long they took; and the middle of what several rounds gave.
//
// Threads: one.
#pragma once

#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace dexlock::bench {

using Milliseconds = std::chrono::duration<double, std::milli>;

// Its standard streams but for stderr are /dev/null; environment as this process.
inline pid_t start(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", 0, 0);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", 1, 0);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) {
    throw std::runtime_error(words[0] + ": " + std::strerror(error));
  }
  return pid;
}

struct Cost {
  Milliseconds wall{};
  long peak_kib = 0;  // of memory, of the largest of the commands
};

// All at once, until the last has ended. Each must exit with 0.
inline Cost run(const std::vector<std::vector<std::string>>& commands) {
  const auto began = std::chrono::steady_clock::now();
  std::vector<pid_t> running;
  for (const auto& words : commands) {
    running.push_back(start(words));
  }
  Cost cost;
  for (std::size_t i = 0; i < running.size(); ++i) {
    int status = 0;
    rusage usage{};
    if (::wait4(running[i], &status, 0, &usage) != running[i] || status != 0) {
      throw std::runtime_error(
          fmt::format("{} ended with status {}", fmt::join(commands[i], " "), status));
    }
    cost.peak_kib = std::max(cost.peak_kib, usage.ru_maxrss);
  }
  cost.wall = std::chrono::steady_clock::now() - began;
  return cost;
}

// What one thing took in the rounds of a run.
class Series {
 public:
  void add(Milliseconds took) { all_.push_back(took.count()); }
  [[nodiscard]] double median() const { return at(0.5); }
  // Half of the rounds lie between these two: tells how noisy the machine was.
  [[nodiscard]] double low() const { return at(0.25); }
  [[nodiscard]] double high() const { return at(0.75); }

 private:
  [[nodiscard]] double at(double part) const {
    std::vector<double> sorted = all_;
    std::ranges::sort(sorted);
    return sorted.empty()
               ? 0
               : sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
  }

  std::vector<double> all_;
};

inline void print(const std::string& what, const Series& series) {
  fmt::print("  {:<56} {:>8.2f} ms   half of them {:.2f} to {:.2f}\n", what, series.median(),
             series.low(), series.high());
}

// `target`: at most.
inline void print_ratio(const std::string& what, double ratio, double target) {
  fmt::print("  {:<56} {:>8.2f}      target at most {}{}\n", what, ratio, target,
             ratio <= target ? "" : "   MISSED");
}

}  // namespace dexlock::bench
