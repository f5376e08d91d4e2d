#include "package/resource.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "lock/quoted_text.hpp"

namespace dexlock {
namespace {

// Of the OCF Resource Agent API.
constexpr int kOcfOk = 0;
constexpr int kOcfNotRunning = 7;
constexpr int kOcfRunningPromoted = 8;
constexpr int kOcfDegraded = 190;
constexpr int kOcfDegradedPromoted = 191;

constexpr std::size_t kTroubleBytesMax = 120;

constexpr int kSignalled = 128;

Health agent_health(int status) {
  switch (status) {
    case kOcfOk:
    case kOcfRunningPromoted:
      return Health::up;
    case kOcfNotRunning:
      return Health::down;
    case kOcfDegraded:
    case kOcfDegradedPromoted:
      return Health::degraded;
    default:
      return Health::critical;
  }
}

Health script_health(int status) {
  constexpr std::array kMeanings{Health::up, Health::down, Health::degraded, Health::critical};
  const auto at = static_cast<std::size_t>(status);
  return status >= 0 && at < kMeanings.size() ? kMeanings[at] : Health::unclear;
}

// What `systemctl is-active` prints.
Health unit_health(const std::string& output) {
  const std::string word = output.substr(0, output.find('\n'));
  if (word == "active" || word == "reloading") {
    return Health::up;
  }
  if (word == "inactive" || word == "failed") {
    return Health::down;
  }
  return Health::unclear;  // on its way up or down
}

std::string_view script_word(Verb verb) {
  constexpr std::array<std::string_view, 6> kWords{"start",  "stop",      "status",
                                                   "status", "meta-data", "validate-all"};
  return kWords[static_cast<std::size_t>(verb)];
}

bool is_look(Verb verb) { return verb == Verb::status || verb == Verb::probe; }

std::string milliseconds_text(Nanoseconds span) {
  return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(span).count());
}

std::string_view agent_word(Verb verb) { return is_look(verb) ? "monitor" : script_word(verb); }

bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
  });
}

bool is_parameter_name(std::string_view text) {
  return is_word(text) && text.find_first_of("-.") == std::string_view::npos;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

// One NAME=VALUE from the front of `text`.
std::optional<std::pair<std::string, std::string>> take_parameter(std::string_view& text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || !is_parameter_name(text.substr(0, equals))) {
    return std::nullopt;
  }
  std::string name(text.substr(0, equals));
  text.remove_prefix(equals + 1);
  std::string_view value;
  if (text.starts_with('"')) {
    const auto end = text.find('"', 1);
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    value = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (!text.empty() && text.front() != ' ' && text.front() != '\t') {
      return std::nullopt;
    }
  } else {
    value = text.substr(0, text.find_first_of(" \t"));
    text.remove_prefix(value.size());
  }
  return std::pair(std::move(name), std::string(value));
}

}  // namespace

Step step_of(const Resource& resource, Verb verb, const std::string& package,
             const std::string& ocf_root, Nanoseconds limit) {
  Step step{.label = std::string(script_word(verb)) + " of " + resource.name, .limit = limit};
  switch (resource.kind) {
    case ResourceKind::script:
      step.words = {resource.name, std::string(script_word(verb))};
      break;
    case ResourceKind::agent: {
      step.words = {ocf_root + "/resource.d/" + resource.name, std::string(agent_word(verb))};
      const std::size_t slash = resource.name.find('/');
      step.settings = {"OCF_ROOT=" + ocf_root,
                       "OCF_RA_VERSION_MAJOR=1",
                       "OCF_RA_VERSION_MINOR=1",
                       "OCF_RESOURCE_PROVIDER=" + resource.name.substr(0, slash),
                       "OCF_RESOURCE_TYPE=" + resource.name.substr(slash + 1),
                       "OCF_RESOURCE_INSTANCE=" + package + '-' + resource.name.substr(slash + 1)};
      step.settings.push_back("OCF_RESKEY_CRM_meta_timeout=" + milliseconds_text(limit));
      if (is_look(verb)) {
        // Agents take zero for a probe, which what is not installed passes as not running.
        step.settings.push_back(
            "OCF_RESKEY_CRM_meta_interval=" +
            (verb == Verb::probe ? "0" : milliseconds_text(resource.times.interval)));
      }
      for (const auto& [name, value] : resource.values) {
        step.settings.push_back("OCF_RESKEY_" + name + '=' + value);
      }
      break;
    }
    case ResourceKind::unit:
      step.words = {"systemctl", is_look(verb) ? "is-active" : std::string(script_word(verb)), "--",
                    resource.name};
      break;
  }
  return step;
}

Health health_of(ResourceKind kind, const StepEnd& end) {
  if (end.timed_out || end.status >= kSignalled) {
    const bool agent_says = kind == ResourceKind::agent && !end.timed_out;
    return agent_says ? agent_health(end.status) : Health::unclear;
  }
  switch (kind) {
    case ResourceKind::script:
      return script_health(end.status);
    case ResourceKind::agent:
      return agent_health(end.status);
    case ResourceKind::unit:
      return unit_health(end.output);
  }
  return Health::unclear;
}

std::string trouble_of(const StepEnd& end) {
  std::string text = end.timed_out ? "took too long and was killed"
                                   : "ended with status " + std::to_string(end.status);
  // The last line is the one that says why, mostly.
  std::string_view said = end.output;
  while (said.ends_with('\n')) {
    said.remove_suffix(1);
  }
  said = said.substr(said.rfind('\n') + 1);
  if (!said.empty()) {
    text += " and said " + quoted_text(said, kTroubleBytesMax);
  }
  return text;
}

Result<Resource> parse_agent(std::string_view text) {
  const std::string_view all = text;
  const auto refuse = [&](std::string_view why) {
    return fail(Errc::bad_config, "agent = " + quoted_text(all) + ": " + std::string(why));
  };
  const std::string_view id = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(id.size());
  constexpr std::string_view kOcf = "ocf:";
  const auto colon = id.rfind(':');
  if (!id.starts_with(kOcf) || colon < kOcf.size()) {
    return refuse("an agent is named ocf:PROVIDER:TYPE, as in ocf:heartbeat:IPaddr2");
  }
  const std::string_view provider = id.substr(kOcf.size(), colon - kOcf.size());
  const std::string_view type = id.substr(colon + 1);
  if (!is_word(provider) || !is_word(type) || provider.starts_with('.') || type.starts_with('.')) {
    return refuse("an agent is named ocf:PROVIDER:TYPE, as in ocf:heartbeat:IPaddr2");
  }
  Resource resource{.kind = ResourceKind::agent,
                    .name = std::string(provider) + '/' + std::string(type)};
  for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
    auto parameter = take_parameter(text);
    if (!parameter) {
      return refuse("parameters are NAME=VALUE or NAME=\"VALUE\"");
    }
    if (!resource.values.insert(*std::move(parameter)).second) {
      return refuse("a parameter is given twice");
    }
  }
  return resource;
}

}  // namespace dexlock
