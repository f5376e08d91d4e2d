// One thing that a package consists of, and the commands that start it, stop it and look at it: a
// script, an OCF resource agent (OCF Resource Agent API 1.1, sections 3 and 4) or a systemd unit.
//
// Threads: plain values, pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dexlock/error.hpp"
#include "lock/instant.hpp"
#include "package/package_state.hpp"

namespace dexlock {

enum class ResourceKind : std::uint8_t { script, agent, unit };

// How long its commands may take, and how often it is looked at.
struct ResourceTimes {
  Nanoseconds start{};
  Nanoseconds stop{};
  Nanoseconds status{};
  Nanoseconds interval{};  // between two looks

  friend bool operator==(const ResourceTimes&, const ResourceTimes&) = default;
};

struct Resource {
  ResourceKind kind{};
  std::string name;  // a path; PROVIDER/TYPE of ocf:PROVIDER:TYPE; a unit
  std::map<std::string, std::string> values{};  // of an agent: its parameters
  ResourceTimes times{};

  friend bool operator==(const Resource&, const Resource&) = default;
};

// A probe is a look at what may never have run here. The last two are for agents.
enum class Verb : std::uint8_t { start, stop, status, probe, metadata, validate };

// One command of a package.
struct Step {
  std::string label;  // for people: what it does to what
  std::vector<std::string> words;
  std::vector<std::string> settings;  // NAME=VALUE, on top of the environment
  Nanoseconds limit{};                // it is killed then
};

// How a step has ended.
struct StepEnd {
  bool timed_out = false;
  int status = 0;      // as a shell has it: 128 and more for signals
  std::string output;  // the last of what it said, on both streams
};

[[nodiscard]] Step step_of(const Resource& resource, Verb verb, const std::string& package,
                           const std::string& ocf_root, Nanoseconds limit);

[[nodiscard]] Health health_of(ResourceKind kind, const StepEnd& end);

// For people, of a step that has not said what it should: why, in one line.
[[nodiscard]] std::string trouble_of(const StepEnd& end);

// "ocf:PROVIDER:TYPE NAME=VALUE ...": a value may stand in double quotes. bad_config.
[[nodiscard]] Result<Resource> parse_agent(std::string_view text);

}  // namespace dexlock
