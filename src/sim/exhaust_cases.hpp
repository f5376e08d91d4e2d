// The small worlds that are searched completely, by name.
//
// Threads: none.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/exhaust_plant.hpp"
#include "sim/exhaust_search.hpp"

namespace dexlock::sim {

enum class CaseSet { ci, large };  // large: what takes longer than a test may

struct ExhaustCase {
  std::string name;
  CaseSet set{};
  std::string what;
  std::function<std::unique_ptr<StateSpace>(Mistake)> make;
};

[[nodiscard]] const std::vector<ExhaustCase>& exhaust_cases();
[[nodiscard]] const ExhaustCase* exhaust_case(std::string_view name);

}  // namespace dexlock::sim
