// What a judge found wrong. The first finding ends a run: what follows an error proves nothing.
//
// Threads: plain values.
#pragma once

#include <optional>
#include <string>

#include "lock/instant.hpp"

namespace dexlock::sim {

struct Finding {
  std::string judge;
  std::string text;
  Nanoseconds at{};
};

class Findings {
 public:
  void add(Nanoseconds at, std::string judge, std::string text) {
    if (!first_) {
      first_ = Finding{std::move(judge), std::move(text), at};
    }
  }

  [[nodiscard]] const std::optional<Finding>& first() const { return first_; }

 private:
  std::optional<Finding> first_;
};

}  // namespace dexlock::sim
