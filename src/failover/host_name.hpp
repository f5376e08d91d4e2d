// What this host is called among those that share packages: $DEXLOCK_HOST, or its name up to the
// first dot.
//
// Threads: any; reads the environment.
#pragma once

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

namespace dexlock {

[[nodiscard]] inline std::string short_host_name() {
  if (const char* set = std::getenv("DEXLOCK_HOST"); set != nullptr && *set != '\0') {
    return set;
  }
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  const std::string whole = name.data();
  return whole.substr(0, whole.find('.'));
}

}  // namespace dexlock
