// What a server counts, and its text for Prometheus (text format 0.0.4).
//
// Invariants:  counting is adding to a number. All texts here are this program's own words.
// Threads:     plain values, a pure function.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace dexlock {

// How many values lay at or below each bound.
template <std::size_t kBounds>
class Histogram {
 public:
  explicit Histogram(const std::array<double, kBounds>& bounds) : bounds_(bounds) {}

  void add(double value) {
    const auto at = std::ranges::lower_bound(bounds_, value);
    ++counts_[static_cast<std::size_t>(at - bounds_.begin())];
    sum_ += value;
  }

  [[nodiscard]] const std::array<double, kBounds>& bounds() const { return bounds_; }
  [[nodiscard]] const std::array<std::uint64_t, kBounds + 1>& counts() const { return counts_; }
  [[nodiscard]] double sum() const { return sum_; }

 private:
  std::array<double, kBounds> bounds_;               // rising
  std::array<std::uint64_t, kBounds + 1> counts_{};  // of each interval; the last has no bound
  double sum_ = 0;
};

// By verb and outcome, as in docs/wire.md.
using RequestCounts = std::map<std::pair<std::string, std::string>, std::uint64_t>;
using WordCounts = std::map<std::string_view, std::uint64_t>;  // by a word of this program

struct ServerMetrics {
  std::string version;
  double started = 0;  // seconds since 1970

  RequestCounts requests;
  WordCounts requests_refused{{"denied", 0}, {"unreadable", 0}};
  Histogram<14> commit_seconds{
      {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5}};
  Histogram<9> commit_changes{{1, 2, 4, 8, 16, 32, 64, 128, 256}};
  WordCounts commits_failed{{"busy", 0}, {"damaged", 0}, {"full", 0}, {"gone", 0}, {"io", 0}};

  WordCounts connections{{"tcp", 0}, {"tls", 0}, {"unix", 0}};  // open now
  WordCounts connections_taken{{"tcp", 0}, {"tls", 0}, {"unix", 0}};
  WordCounts connections_refused{{"limit", 0}, {"store", 0}, {"system", 0}, {"tls", 0}};
  std::uint64_t connections_failed = 0;
  std::size_t connections_limit = 0;
  std::size_t requests_waiting = 0;
  std::size_t unsent_bytes = 0;  // when the store was last well enough to be asked

  bool healthy = false;
  std::size_t records = 0;
  std::size_t held = 0;
  std::size_t tickets = 0;
  std::size_t watches = 0;
};

[[nodiscard]] std::string metrics_text(const ServerMetrics& metrics);

}  // namespace dexlock
