// What a package is and how it is to be treated, as its file says: lines of KEY = VALUE.
// docs/failover.md explains each key.
//
// Invariants:  settings that exist keep the promise: a stop fits between the end of the lease and
//              the moment at which others may start.
// Threads:     plain values, pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dexlock/error.hpp"
#include "package/package_machine.hpp"
#include "package/resource.hpp"

namespace dexlock {

// Which of the times stand in the file: what does is for all resources.
struct GivenTimes {
  bool pace = false;
  bool start = false;
  bool stop = false;
  bool status = false;

  friend bool operator==(const GivenTimes&, const GivenTimes&) = default;
};

struct PackageSettings {
  std::string name;
  std::vector<Resource> resources;  // in the order of their start
  std::chrono::milliseconds pace{5'000};
  std::chrono::milliseconds timeout{30'000};
  std::chrono::milliseconds stop_timeout{30'000};
  std::chrono::milliseconds start_timeout{60'000};
  std::chrono::milliseconds status_timeout{20'000};
  GivenTimes given;
  std::vector<std::string> prefer;  // hosts, the best first
  bool failback = false;
  int migration_threshold = 1;
  std::chrono::milliseconds failure_timeout{600'000};
  std::vector<std::string> together;  // packages: only on the host where those are active
  std::vector<std::string> apart;     // never on the host of these
  std::vector<std::string> after;     // only while these run
  std::string fence;                  // commands for /bin/sh
  std::string on_event;
  std::string watchdog;                   // its device
  std::string ocf_root = "/usr/lib/ocf";  // where agents are installed
  std::string scripts{};                  // a digest of what its scripts are

  friend bool operator==(const PackageSettings&, const PackageSettings&) = default;

  [[nodiscard]] MachineSettings machine() const;
};

// A package's name: 1 to 64 of [A-Za-z0-9._-], not beginning with . or -. bad_argument.
[[nodiscard]] Result<void> check_package_name(std::string_view name);

// `text` of the file; `script`: the program that a package without any resource is. bad_config
// names the line.
[[nodiscard]] Result<PackageSettings> parse_package_settings(const std::string& name,
                                                             std::string_view text,
                                                             const std::string& script);

// The times of an agent, as it says they should be, where the file says nothing.
struct OwnTimes {
  std::optional<Nanoseconds> start;
  std::optional<Nanoseconds> stop;
  std::optional<Nanoseconds> status;
  std::optional<Nanoseconds> interval;
};

// Each resource's times; `own` has one for each. bad_config: a promise could not be kept by these.
[[nodiscard]] Result<void> set_times(PackageSettings& settings, const std::vector<OwnTimes>& own);

// The same on two hosts if and only if the settings and the scripts are, but for what only matters
// to one host.
[[nodiscard]] std::string digest_of(const PackageSettings& settings);
[[nodiscard]] std::string digest_of(std::string_view text);

// The steps of a verb in order; of stop the last first.
[[nodiscard]] std::vector<Step> steps_of(const PackageSettings& settings, Verb verb);
[[nodiscard]] Step step_of(const PackageSettings& settings, const Resource& resource, Verb verb);

// How good a host is for it; lower is better, the same for all that are not named.
[[nodiscard]] std::size_t rank_of(const PackageSettings& settings, std::string_view host);

}  // namespace dexlock
