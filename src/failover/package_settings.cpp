#include "failover/package_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <functional>
#include <map>
#include <ranges>
#include <set>
#include <utility>

#include "lease/timing.hpp"
#include "lock/quoted_text.hpp"
#include "system/duration_text.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kPackageNameBytesMax = 64;
constexpr std::size_t kResourcesMax = 64;
constexpr milliseconds kPaceMin{200};
constexpr milliseconds kTimeoutMin{1'000};
constexpr milliseconds kLimitMin{100};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (const auto part : std::views::split(text, ' ')) {
    const std::string_view word = trimmed(std::string_view(part.begin(), part.end()));
    if (!word.empty()) {
      words.emplace_back(word);
    }
  }
  return words;
}

Result<void> set_duration(milliseconds& to, std::string_view value, milliseconds min,
                          std::string_view key) {
  const auto parsed = parse_duration(value, {.min = min}, key);
  if (!parsed) {
    return std::unexpected(parsed.error());
  }
  to = *parsed;
  return {};
}

Result<void> set_names(std::vector<std::string>& to, std::string_view value) {
  to = words_of(value);
  for (const std::string& name : to) {
    if (const auto checked = check_package_name(name); !checked) {
      return checked;
    }
  }
  return {};
}

Result<void> set_path(std::string& to, std::string_view value) {
  if (!value.starts_with('/')) {
    return fail(Errc::bad_config, quoted_text(value) + " is no absolute path");
  }
  to = value;
  return {};
}

Result<void> set_switch(bool& to, std::string_view value) {
  if (value != "yes" && value != "no") {
    return fail(Errc::bad_config, "yes or no, not " + quoted_text(value));
  }
  to = value == "yes";
  return {};
}

Result<void> set_count(int& to, std::string_view value) {
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), to);
  if (error != std::errc() || end != value.data() + value.size() || to < 1 || to > 1000) {
    return fail(Errc::bad_config, "a whole number from 1 to 1000, not " + quoted_text(value));
  }
  return {};
}

Result<void> add_unit(PackageSettings& settings, std::string_view value) {
  const bool plain = std::ranges::all_of(value, [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("@._:\\-").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (!plain || value.find('.') == std::string_view::npos) {
    return fail(Errc::bad_config, "a unit is named as in nginx.service, not " + quoted_text(value));
  }
  settings.resources.push_back({.kind = ResourceKind::unit, .name = std::string(value)});
  return {};
}

using Setter = std::function<Result<void>(PackageSettings&, std::string_view)>;

Setter duration(milliseconds PackageSettings::*member, milliseconds min, std::string_view key) {
  return [=](PackageSettings& settings, std::string_view value) {
    return set_duration(settings.*member, value, min, key);
  };
}

Setter text(std::string PackageSettings::*member) {
  return [=](PackageSettings& settings, std::string_view value) -> Result<void> {
    settings.*member = value;
    return {};
  };
}

Setter file_path(std::string PackageSettings::*member) {
  return [=](PackageSettings& settings, std::string_view value) {
    return set_path(settings.*member, value);
  };
}

Setter names(std::vector<std::string> PackageSettings::*member) {
  return [=](PackageSettings& settings, std::string_view value) {
    return set_names(settings.*member, value);
  };
}

Result<void> add_script(PackageSettings& settings, std::string_view value) {
  std::string script;
  if (const auto set = set_path(script, value); !set) {
    return set;
  }
  settings.resources.push_back({.kind = ResourceKind::script, .name = script});
  return {};
}

Result<void> add_agent(PackageSettings& settings, std::string_view value) {
  auto agent = parse_agent(value);
  if (!agent) {
    return std::unexpected(agent.error());
  }
  settings.resources.push_back(*std::move(agent));
  return {};
}

const std::map<std::string_view, Setter>& setters() {
  using S = PackageSettings;
  static const std::map<std::string_view, Setter> all{
      {"script", add_script},
      {"agent", add_agent},
      {"unit", add_unit},
      {"pace", duration(&S::pace, kPaceMin, "pace")},
      {"timeout", duration(&S::timeout, kTimeoutMin, "timeout")},
      {"stop_timeout", duration(&S::stop_timeout, kTimeoutMin, "stop_timeout")},
      {"start_timeout", duration(&S::start_timeout, kLimitMin, "start_timeout")},
      {"status_timeout", duration(&S::status_timeout, kLimitMin, "status_timeout")},
      {"failure_timeout", duration(&S::failure_timeout, kTimeoutMin, "failure_timeout")},
      {"prefer", names(&S::prefer)},
      {"together", names(&S::together)},
      {"apart", names(&S::apart)},
      {"after", names(&S::after)},
      {"fence", text(&S::fence)},
      {"on_event", text(&S::on_event)},
      {"watchdog", file_path(&S::watchdog)},
      {"ocf_root", file_path(&S::ocf_root)},
      {"failback", [](S& s, std::string_view value) { return set_switch(s.failback, value); }},
      {"migration_threshold",
       [](S& s, std::string_view value) { return set_count(s.migration_threshold, value); }},
  };
  return all;
}

bool may_repeat(std::string_view key) { return key == "agent" || key == "unit" || key == "script"; }

Result<void> check_whole(const PackageSettings& settings) {
  if (settings.resources.size() > kResourcesMax) {
    return fail(Errc::bad_config, fmt::format("at most {} resources", kResourcesMax));
  }
  for (const auto* others : {&settings.together, &settings.apart, &settings.after}) {
    if (std::ranges::find(*others, settings.name) != others->end()) {
      return fail(Errc::bad_config, "it cannot depend on itself");
    }
  }
  for (const std::string& other : settings.apart) {
    if (std::ranges::find(settings.together, other) != settings.together.end()) {
      return fail(Errc::bad_config, "it cannot be together with " + other + " and apart from it");
    }
  }
  return {};
}

std::string seconds_text(Nanoseconds span) {
  return duration_text(std::chrono::ceil<milliseconds>(span));
}

// What is stopped from the end of the lease on must be gone when others may start: until it is
// killed there is this long for all stops together.
Result<void> check_stops(const PackageSettings& settings, const std::vector<OwnTimes>& own) {
  Nanoseconds sum{};
  std::string terms;
  for (const OwnTimes& times : own) {
    if (times.stop) {
      sum += *times.stop;
      terms += (terms.empty() ? "" : " + ") + seconds_text(*times.stop);
    }
  }
  const StopLadder ladder = stop_ladder({.lease = settings.timeout, .stop = settings.stop_timeout});
  const Nanoseconds room = ladder.kill_at - ladder.signal_at;
  if (settings.given.stop || sum <= room) {
    return {};
  }
  return fail(Errc::bad_config,
              fmt::format("its agents may take {} = {} to stop, but a timeout of {} and a "
                          "stop_timeout of {} leave {} for it: set stop_timeout",
                          terms, seconds_text(sum), seconds_text(settings.timeout),
                          seconds_text(settings.stop_timeout), seconds_text(room)));
}

Result<void> check_times(const PackageSettings& settings) {
  if (settings.given.pace && settings.pace > settings.timeout) {
    return fail(Errc::bad_config,
                fmt::format("pace: {} is longer than the timeout of {}: a sick package would be "
                            "noticed later than a dead host",
                            seconds_text(settings.pace), seconds_text(settings.timeout)));
  }
  constexpr int kStopsPerTimeout = 100;
  if (settings.stop_timeout > kStopsPerTimeout * settings.timeout) {
    return fail(Errc::bad_config,
                fmt::format("stop_timeout: {} is more than {} times the timeout of {}",
                            seconds_text(settings.stop_timeout), kStopsPerTimeout,
                            seconds_text(settings.timeout)));
  }
  return {};
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

}  // namespace

MachineSettings PackageSettings::machine() const {
  // The package's pace is that of whichever resource is looked at most often.
  Nanoseconds look_every = pace;
  Nanoseconds starts{};
  for (const Resource& resource : resources) {
    look_every = std::min(look_every, resource.times.interval);
    starts += resource.times.start + resource.times.status;
  }
  return {.pace = look_every,
          .start_timeout = given.start ? Nanoseconds(start_timeout)
                                       : std::max<Nanoseconds>(start_timeout, starts),
          .migration_threshold = migration_threshold,
          .failure_timeout = failure_timeout,
          .can_fence = !fence.empty()};
}

Result<void> set_times(PackageSettings& settings, const std::vector<OwnTimes>& own) {
  for (std::size_t at = 0; at < settings.resources.size(); ++at) {
    const OwnTimes its = at < own.size() ? own[at] : OwnTimes{};
    const auto pick = [](bool given, Nanoseconds time, const std::optional<Nanoseconds>& other) {
      return given ? time : other.value_or(time);
    };
    settings.resources[at].times = {
        .start = pick(settings.given.start, settings.start_timeout, its.start),
        .stop = pick(settings.given.stop, settings.stop_timeout, its.stop),
        .status = pick(settings.given.status, settings.status_timeout, its.status),
        .interval = pick(settings.given.pace, settings.pace, its.interval)};
  }
  if (const auto checked = check_stops(settings, own); !checked) {
    return checked;
  }
  return check_times(settings);
}

Result<void> check_package_name(std::string_view name) {
  const bool plain = std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
  });
  if (name.empty() || name.size() > kPackageNameBytesMax || !plain || name.front() == '.' ||
      name.front() == '-') {
    return fail(Errc::bad_argument, quoted_text(name) +
                                        " is no name: 1 to 64 of A-Z a-z 0-9 . _ -, not beginning "
                                        "with . or -");
  }
  return {};
}

Result<PackageSettings> parse_package_settings(const std::string& name, std::string_view text,
                                               const std::string& script) {
  PackageSettings settings{.name = name};
  std::set<std::string_view> seen;
  int number = 0;
  for (const auto part : std::views::split(text, '\n')) {
    ++number;
    const std::string_view line = trimmed(std::string_view(part.begin(), part.end()));
    if (line.empty() || line.front() == '#') {
      continue;
    }
    const auto refuse = [&](const std::string& why) {
      return fail(Errc::bad_config, fmt::format("line {}: {}", number, why));
    };
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) {
      return refuse("KEY = VALUE was expected, not " + quoted_text(line));
    }
    const std::string_view key = trimmed(line.substr(0, equals));
    const std::string_view value = trimmed(line.substr(equals + 1));
    const auto setter = setters().find(key);
    if (setter == setters().end()) {
      return refuse("there is no setting " + quoted_text(key));
    }
    if (!seen.insert(setter->first).second && !may_repeat(key)) {
      return refuse(std::string(key) + " stands there twice");
    }
    if (value.empty()) {
      return refuse(std::string(key) + " has no value");
    }
    if (const auto set = setter->second(settings, value); !set) {
      return refuse(set.error().text.starts_with(key) ? set.error().text
                                                      : std::string(key) + ": " + set.error().text);
    }
  }
  if (settings.resources.empty()) {
    settings.resources.push_back({.kind = ResourceKind::script, .name = script});
  }
  settings.given = {.pace = seen.contains("pace"),
                    .start = seen.contains("start_timeout"),
                    .stop = seen.contains("stop_timeout"),
                    .status = seen.contains("status_timeout")};
  if (const auto checked = check_whole(settings); !checked) {
    return std::unexpected(checked.error());
  }
  if (const auto set = set_times(settings, {}); !set) {
    return std::unexpected(set.error());
  }
  return settings;
}

// FNV-1a, 64 bits: two texts that are meant to be the same are compared, nobody forges one.
std::string digest_of(std::string_view text) {
  std::uint64_t hash = 14'695'981'039'346'656'037U;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
  }
  return fmt::format("{:016x}", hash);
}

std::string digest_of(const PackageSettings& settings) {
  std::string all =
      fmt::format("{} {} {} {} {} {} {}\n", settings.pace.count(), settings.timeout.count(),
                  settings.stop_timeout.count(), settings.start_timeout.count(), settings.failback,
                  settings.migration_threshold, settings.failure_timeout.count());
  for (const auto* list :
       {&settings.prefer, &settings.together, &settings.apart, &settings.after}) {
    all += joined(*list) + '\n';
  }
  for (const Resource& resource : settings.resources) {
    all += fmt::format("{} {}", static_cast<int>(resource.kind), resource.name);
    for (const auto& [key, value] : resource.values) {
      all += fmt::format(" {}={}", key, value);
    }
    all += '\n';
  }
  return digest_of(all + settings.scripts);
}

Step step_of(const PackageSettings& settings, const Resource& resource, Verb verb) {
  const Nanoseconds limit = verb == Verb::start  ? resource.times.start
                            : verb == Verb::stop ? resource.times.stop
                                                 : resource.times.status;
  return step_of(resource, verb, settings.name, settings.ocf_root, limit);
}

std::vector<Step> steps_of(const PackageSettings& settings, Verb verb) {
  std::vector<Step> steps;
  for (const Resource& resource : settings.resources) {
    steps.push_back(step_of(settings, resource, verb));
  }
  if (verb == Verb::stop) {
    std::ranges::reverse(steps);
  }
  return steps;
}

std::size_t rank_of(const PackageSettings& settings, std::string_view host) {
  return static_cast<std::size_t>(std::ranges::find(settings.prefer, host) -
                                  settings.prefer.begin());
}

}  // namespace dexlock
