// The words for what a package is doing on one host, and for what a look at it has found.
//
// Threads: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace dexlock {

// All but standby: this host is the active one, it has the package's lock; or it had, and has not
// stopped the package yet.
enum class PackageState : std::uint8_t {
  standby,   // in line for the lock, or not even that
  unknown,   // active: nobody has looked yet
  starting,  //
  running,   //
  degraded,  // runs, and something is wrong with it
  halting,   // is being stopped, as somebody wants it
  halted,    // has been stopped; the lock is being released
  failing,   // is being stopped, because it is sick
  failed,    // sick and stopped, or it cannot be stopped
};

inline constexpr std::array<std::string_view, 9> kPackageStateNames{
    "standby", "unknown", "starting", "running", "degraded",
    "halting", "halted",  "failing",  "failed"};

[[nodiscard]] constexpr std::string_view name_of(PackageState state) {
  return kPackageStateNames[static_cast<std::size_t>(state)];
}

[[nodiscard]] constexpr std::optional<PackageState> package_state(std::string_view name) {
  for (std::size_t at = 0; at < kPackageStateNames.size(); ++at) {
    if (kPackageStateNames[at] == name) {
      return static_cast<PackageState>(at);
    }
  }
  return std::nullopt;
}

// What a look at a package says, from well to ill.
enum class Health : std::uint8_t {
  up,
  degraded,
  down,
  partly,    // some of its parts are up, some down
  unclear,   // it took too long, or said nonsense
  critical,  // it must not go on here
};

inline constexpr std::array<std::string_view, 6> kHealthNames{"up",        "degraded", "down",
                                                              "partly up", "unclear",  "critical"};

[[nodiscard]] constexpr std::string_view name_of(Health health) {
  return kHealthNames[static_cast<std::size_t>(health)];
}

// Of a whole, from those of its parts.
[[nodiscard]] constexpr Health together(Health one, Health other) {
  const auto is = [](Health health, Health what) { return health == what; };
  for (const Health worst : {Health::critical, Health::unclear, Health::partly}) {
    if (is(one, worst) || is(other, worst)) {
      return worst;
    }
  }
  if (is(one, Health::down) != is(other, Health::down)) {
    return Health::partly;
  }
  return one < other ? other : one;
}

}  // namespace dexlock
