// Text for Prometheus (text format 0.0.4). Every name begins with dexlock_.
//
// Invariants:  values of labels may be any text; whatever else is given is this program's own
// words. Threads:     plain values.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

namespace dexlock {

enum class MetricKind : std::uint8_t { counter, gauge, histogram };

// With their braces. The values must be UTF-8.
[[nodiscard]] inline std::string metric_labels(
    std::initializer_list<std::pair<std::string_view, std::string_view>> labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    fmt::format_to(std::back_inserter(text), "{}{}=\"", text.empty() ? '{' : ',', name);
    for (const char c : value) {
      if (c == '\n') {
        text += "\\n";
      } else {
        text += c == '"' || c == '\\' ? "\\" : "";
        text += c;
      }
    }
    text += '"';
  }
  return text + '}';
}

class MetricsWriter {
 public:
  void begin(std::string_view name, MetricKind kind, std::string_view help) {
    constexpr std::array<std::string_view, 3> kKinds{"counter", "gauge", "histogram"};
    name_ = name;
    fmt::format_to(std::back_inserter(out_), "# HELP dexlock_{} {}\n# TYPE dexlock_{} {}\n", name,
                   help, name, kKinds[static_cast<std::size_t>(kind)]);
  }

  // `labels`: of metric_labels(), or nothing.
  template <class Number>
  void sample(std::string_view suffix, std::string_view labels, Number value) {
    fmt::format_to(std::back_inserter(out_), "dexlock_{}{}{} {}\n", name_, suffix, labels, value);
  }

  template <class Number>
  void single(std::string_view name, MetricKind kind, std::string_view help, Number value) {
    begin(name, kind, help);
    sample("", "", value);
  }

  template <class Counts>
  void counts(std::string_view name, MetricKind kind, std::string_view label, std::string_view help,
              const Counts& counts) {
    begin(name, kind, help);
    for (const auto& [word, count] : counts) {
      sample("", metric_labels({{label, word}}), count);
    }
  }

  template <class Histogram>
  void histogram(std::string_view name, std::string_view help, const Histogram& shown) {
    begin(name, MetricKind::histogram, help);
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < shown.bounds().size(); ++at) {
      sum += shown.counts()[at];
      sample("_bucket", fmt::format("{{le=\"{}\"}}", shown.bounds()[at]), sum);
    }
    sum += shown.counts()[shown.bounds().size()];
    sample("_bucket", "{le=\"+Inf\"}", sum);
    sample("_sum", "", shown.sum());
    sample("_count", "", sum);
  }

  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string_view name_;
  std::string out_;
};

}  // namespace dexlock
