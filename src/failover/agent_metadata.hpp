// What an OCF agent says of itself (OCF Resource Agent API 1.1, section 4): its parameters, and how
// long and how often its actions are meant to run.
//
// Threads: pure functions, but for validate(): as program_output.hpp. What an agent says may be
// anything.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "dexlock/error.hpp"
#include "failover/job.hpp"
#include "package/resource.hpp"

namespace dexlock {

struct AgentMetadata {
  std::set<std::string> parameters;
  std::set<std::string> required;  // of these
  std::optional<Nanoseconds> start;
  std::optional<Nanoseconds> stop;
  std::optional<Nanoseconds> monitor;
  std::optional<Nanoseconds> interval;  // of monitor
  bool validates = false;               // it has validate-all
};

// bad_config, in one line: it is no metadata.
[[nodiscard]] Result<AgentMetadata> parse_agent_metadata(const std::string& xml);

// How it is asked, what of its answer to keep, and what it has said. bad_config: it has not
// answered, or not with that.
[[nodiscard]] Step metadata_step(const Resource& agent, const std::string& ocf_root);
inline constexpr JobOutput kMetadataOutput{.bytes_max = 1 << 20, .complaints = false};
[[nodiscard]] Result<AgentMetadata> metadata_of(const Resource& agent, const StepEnd& end);

// Whether its parameters are those of the agent. bad_config.
[[nodiscard]] Result<void> check_parameters(const Resource& agent, const AgentMetadata& metadata);

// What the agent's validate-all says, if it has one. bad_config.
[[nodiscard]] Result<void> validate(const Resource& agent, const std::string& package,
                                    const std::string& ocf_root);

}  // namespace dexlock
