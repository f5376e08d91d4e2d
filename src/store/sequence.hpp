// Steps that make sense only one after the other, each a call without arguments that returns
// Result<void>.
#pragma once

#include "dexlock/error.hpp"

namespace dexlock {

// Runs them in order up to the first that fails, and returns what that one said.
template <class... Steps>
[[nodiscard]] Result<void> sequence(Steps&&... steps) {
  Result<void> done;
  static_cast<void>(((done = steps(), done.has_value()) && ...));
  return done;
}

}  // namespace dexlock
