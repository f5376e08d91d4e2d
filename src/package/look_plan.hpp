// Which parts of a package are looked at when: each at its own interval, while what was seen of the
// others stands. What was not well is looked at again each time.
//
// Threads: one.            Never does: read a clock, run anything.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lock/instant.hpp"
#include "package/resource.hpp"

namespace dexlock {

// What a look has found of a whole package.
struct Sight {
  Health health = Health::unclear;
  std::string detail;  // of what is not up
};

class LookPlan {
 public:
  // Indices into `resources`: those to look at now; there may be none. `all`: also those that are
  // not due.
  [[nodiscard]] std::vector<std::size_t> begin(const std::vector<Resource>& resources, bool all,
                                               Nanoseconds now);
  // How the looks at these have ended, in their order.
  [[nodiscard]] Sight end(const std::vector<Resource>& resources, const std::vector<StepEnd>& ends);

 private:
  struct Seen {
    Health health = Health::unclear;
    std::string detail;
    Nanoseconds at{};  // when it was asked for
  };

  std::vector<Seen> seen_;
  std::vector<std::size_t> under_way_;
};

}  // namespace dexlock
