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
  // Only this judge is heard from now on (all, if empty); a run that cannot end always says so.
  void hear_only(std::string judge) { only_ = std::move(judge); }

  void add(Nanoseconds at, std::string judge, std::string text) {
    if (!first_ && (only_.empty() || judge == only_ || judge == "progress")) {
      first_ = Finding{std::move(judge), std::move(text), at};
    }
  }

  [[nodiscard]] const std::optional<Finding>& first() const { return first_; }

 private:
  std::string only_;
  std::optional<Finding> first_;
};

}  // namespace dexlock::sim
