#include "package/package_records.hpp"

#include <limits>
#include <map>

#include "lock/escape.hpp"
#include "lock/fields.hpp"

namespace dexlock {
namespace {

constexpr std::size_t kWordsMax = 64;
constexpr std::size_t kErrorBytesMax = 400;
constexpr std::string_view kControlVersion = "control1";
constexpr std::string_view kReportVersion = "host1";
constexpr std::string_view kPrefix = "failover/";
constexpr std::string_view kHost = "/host/";

// VERSION KEY=VALUE..., values escaped.
using Words = std::map<std::string, std::string, std::less<>>;

std::optional<Words> words_of(std::string_view text, std::string_view version) {
  const auto fields = split_fields(text, ' ', kWordsMax);
  if (!fields || fields->front() != version) {
    return std::nullopt;
  }
  Words words;
  for (std::size_t at = 1; at < fields->size(); ++at) {
    const std::string_view field = (*fields)[at];
    const auto equals = field.find('=');
    const auto value =
        equals == std::string_view::npos ? std::nullopt : unescape_text(field.substr(equals + 1));
    if (!value) {
      return std::nullopt;
    }
    words.emplace(field.substr(0, equals), *value);
  }
  return words;
}

void add(std::string& text, std::string_view key, std::string_view value) {
  append(text, ' ', key, '=', escape_text(value));
}

std::string get(const Words& words, std::string_view key) {
  const auto found = words.find(key);
  return found == words.end() ? std::string() : found->second;
}

std::uint64_t get_number(const Words& words, std::string_view key, std::uint64_t max) {
  return parse_number(get(words, key), max).value_or(0);
}

}  // namespace

std::string text_of(const ControlRecord& record) {
  std::string text(kControlVersion);
  add(text, "run", record.run ? "yes" : "no");
  add(text, "maintenance", record.maintenance ? "yes" : "no");
  add(text, "move", std::to_string(record.move));
  add(text, "to", record.to);
  add(text, "from", record.from);
  return text;
}

std::string text_of(const HostReport& report) {
  std::string text(kReportVersion);
  add(text, "state", name_of(report.state));
  add(text, "since", std::to_string(report.since));
  add(text, "token", std::to_string(report.token));
  add(text, "failures", std::to_string(report.failures));
  add(text, "ready", report.ready ? "yes" : "no");
  add(text, "stands-back", report.stands_back ? "yes" : "no");
  add(text, "digest", report.digest);
  add(text, "error", std::string_view(report.error).substr(0, kErrorBytesMax));
  return text;
}

std::optional<ControlRecord> parse_control(std::string_view text) {
  const auto words = words_of(text, kControlVersion);
  if (!words) {
    return std::nullopt;
  }
  return ControlRecord{
      .run = get(*words, "run") != "no",
      .maintenance = get(*words, "maintenance") == "yes",
      .move = get_number(*words, "move", std::numeric_limits<std::uint32_t>::max()),
      .to = get(*words, "to"),
      .from = get(*words, "from")};
}

std::optional<HostReport> parse_report(std::string_view text) {
  const auto words = words_of(text, kReportVersion);
  const auto state = words ? package_state(get(*words, "state")) : std::nullopt;
  if (!state) {
    return std::nullopt;
  }
  constexpr std::uint64_t kLatest = 1ULL << 40U;
  constexpr std::uint64_t kFailuresMax = 1'000'000;
  return HostReport{.state = *state,
                    .since = static_cast<std::int64_t>(get_number(*words, "since", kLatest)),
                    .token = get_number(*words, "token", std::numeric_limits<std::int64_t>::max()),
                    .failures = static_cast<int>(get_number(*words, "failures", kFailuresMax)),
                    .ready = get(*words, "ready") == "yes",
                    .stands_back = get(*words, "stands-back") == "yes",
                    .digest = get(*words, "digest"),
                    .error = get(*words, "error")};
}

std::string lock_of(const std::string& package) { return std::string(kPrefix) + package; }

std::string control_of(const std::string& package) { return lock_of(package) + "/control"; }

std::string report_of(const std::string& package, const std::string& host) {
  return lock_of(package) + std::string(kHost) + host;
}

std::optional<std::string> host_in(std::string_view lock, const std::string& package) {
  const std::string begin = lock_of(package) + std::string(kHost);
  if (!lock.starts_with(begin) || lock.size() == begin.size()) {
    return std::nullopt;
  }
  return std::string(lock.substr(begin.size()));
}

}  // namespace dexlock
