#include "failover/agent_metadata.hpp"

#include <fmt/format.h>

#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <chrono>
#include <sstream>

#include "failover/program_output.hpp"
#include "lock/quoted_text.hpp"
#include "system/duration_text.hpp"

namespace dexlock {
namespace {

using Tree = boost::property_tree::ptree;

constexpr std::chrono::seconds kMetadataLimit{10};
constexpr std::chrono::seconds kValidateLimit{20};
constexpr std::size_t kSaidBytesMax = 200;

// Agents write 20s, 20, 500ms; what is none of these is as good as nothing.
std::optional<Nanoseconds> duration_in(const Tree& action, const std::string& attribute) {
  const auto text = action.get<std::string>("<xmlattr>." + attribute, "");
  const auto parsed = parse_duration(text, {}, "");
  if (!parsed || parsed->count() == 0) {
    return std::nullopt;
  }
  return *parsed;
}

void take_parameter(const Tree& parameter, AgentMetadata& metadata) {
  const auto name = parameter.get<std::string>("<xmlattr>.name", "");
  const auto required = parameter.get<std::string>("<xmlattr>.required", "0");
  metadata.parameters.insert(name);
  if (required == "1" || required == "true" || required == "yes") {
    metadata.required.insert(name);
  }
}

// Of several monitors the plain one counts: no role but that of all that run, and the least depth.
void take_action(const Tree& action, AgentMetadata& metadata) {
  const auto name = action.get<std::string>("<xmlattr>.name", "");
  const auto depth = action.get<std::string>("<xmlattr>.depth", "0");
  if (name == "start") {
    metadata.start = duration_in(action, "timeout");
  } else if (name == "stop") {
    metadata.stop = duration_in(action, "timeout");
  } else if (name == "monitor" && depth == "0" && !metadata.monitor) {
    metadata.monitor = duration_in(action, "timeout");
    metadata.interval = duration_in(action, "interval");
  } else if (name == "validate-all") {
    metadata.validates = true;
  }
}

std::unexpected<Error> refuse(const Resource& agent, const std::string& what) {
  return fail(Errc::bad_config, agent.name + ": " + what);
}

std::string joined(const std::set<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

Result<AgentMetadata> parse_agent_metadata(const std::string& xml) {
  Tree tree;
  try {
    std::istringstream stream(xml);
    boost::property_tree::read_xml(stream, tree);
  } catch (const boost::property_tree::xml_parser_error& error) {
    return fail(Errc::bad_config,
                fmt::format("its metadata is no XML: line {}: {}", error.line(), error.message()));
  }
  const auto root = tree.get_child_optional("resource-agent");
  if (!root) {
    return fail(Errc::bad_config, "its metadata describes no resource-agent");
  }
  AgentMetadata metadata;
  const Tree parameters = root->get_child("parameters", Tree());
  for (const auto& [name, parameter] : parameters) {
    if (name == "parameter") {
      take_parameter(parameter, metadata);
    }
  }
  const Tree actions = root->get_child("actions", Tree());
  for (const auto& [name, action] : actions) {
    if (name == "action") {
      take_action(action, metadata);
    }
  }
  if (actions.empty()) {
    return fail(Errc::bad_config, "its metadata names no actions");
  }
  return metadata;
}

Step metadata_step(const Resource& agent, const std::string& ocf_root) {
  Resource plain = agent;
  plain.values.clear();
  return step_of(plain, Verb::metadata, "", ocf_root, kMetadataLimit);
}

Result<AgentMetadata> metadata_of(const Resource& agent, const StepEnd& end) {
  if (end.timed_out) {
    return refuse(agent, "it does not answer to meta-data");
  }
  if (end.status != 0) {
    return refuse(agent, fmt::format("its meta-data ended with status {}", end.status));
  }
  auto metadata = parse_agent_metadata(end.output);
  if (!metadata) {
    return refuse(agent, metadata.error().text);
  }
  return metadata;
}

Result<void> check_parameters(const Resource& agent, const AgentMetadata& metadata) {
  for (const auto& [name, value] : agent.values) {
    if (!metadata.parameters.contains(name)) {
      return refuse(agent, metadata.parameters.empty()
                               ? "it has no parameter " + quoted_text(name) + ", and no other"
                               : "it has no parameter " + quoted_text(name) + "; there are " +
                                     quoted_text(joined(metadata.parameters), kSaidBytesMax));
    }
  }
  std::set<std::string> missing;
  for (const std::string& name : metadata.required) {
    if (!agent.values.contains(name)) {
      missing.insert(name);
    }
  }
  if (!missing.empty()) {
    return refuse(agent, "it needs " + quoted_text(joined(missing), kSaidBytesMax));
  }
  return {};
}

Result<void> validate(const Resource& agent, const std::string& package,
                      const std::string& ocf_root) {
  const auto metadata =
      metadata_of(agent, output_of(metadata_step(agent, ocf_root), kMetadataOutput));
  if (!metadata) {
    return std::unexpected(metadata.error());
  }
  if (!metadata->validates) {
    return {};
  }
  const StepEnd end =
      output_of(step_of(agent, Verb::validate, package, ocf_root, kValidateLimit), {});
  if (end.timed_out || end.status != 0) {
    return refuse(agent, "its validate-all " + trouble_of(end));
  }
  return {};
}

}  // namespace dexlock
