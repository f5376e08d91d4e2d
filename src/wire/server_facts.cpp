#include "wire/server_facts.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "lock/fields.hpp"
#include "wire/line_fields.hpp"

namespace dexlock {
namespace {

constexpr std::uint64_t kFactMax = (std::uint64_t{1} << 63U) - 1;
// Far more than there are, few enough to be read at once.
constexpr std::size_t kFactsMax = 64;

constexpr std::array<std::string_view, 5> kFactKeys{"uptime", "free", "size", "inodes-free",
                                                    "inodes"};

using Values = std::array<std::optional<std::uint64_t>, kFactKeys.size()>;

std::optional<std::uint64_t> in_ns(const std::optional<std::chrono::nanoseconds>& time) {
  return time ? std::optional(static_cast<std::uint64_t>(time->count())) : std::nullopt;
}

}  // namespace

std::string facts_text(const ServerFacts& facts) {
  const Values values{in_ns(facts.uptime), facts.free_bytes, facts.bytes, facts.free_inodes,
                      facts.inodes};
  std::string out;
  for (std::size_t i = 0; i < kFactKeys.size(); ++i) {
    if (values.at(i)) {
      append(out, out.empty() ? "" : " ", kFactKeys.at(i), '=', std::min(*values.at(i), kFactMax));
    }
  }
  for (const std::string& later : facts.later) {
    append(out, out.empty() ? "" : " ", later);
  }
  return out.empty() ? "-" : out;
}

std::optional<ServerFacts> parse_facts(std::string_view text) {
  if (text == "-") {
    return ServerFacts{};
  }
  const auto parts = split_fields(text, ' ', kFactsMax);
  if (!parts) {
    return std::nullopt;
  }
  Values values;
  std::vector<std::string> later;
  std::size_t next = 0;  // the keys from here on may still come
  for (const std::string_view part : *parts) {
    const auto equals = part.find('=');
    if (equals == 0 || equals == std::string_view::npos) {
      return std::nullopt;
    }
    const auto* at = std::ranges::find(kFactKeys, part.substr(0, equals));
    const auto key = static_cast<std::size_t>(at - kFactKeys.begin());
    if (key == kFactKeys.size()) {
      later.emplace_back(part);
      continue;
    }
    values.at(key) = parse_number(part.substr(equals + 1), kFactMax);
    if (key < next || !later.empty() || !values.at(key)) {
      return std::nullopt;
    }
    next = key + 1;
  }
  ServerFacts facts{.free_bytes = values[1],
                    .bytes = values[2],
                    .free_inodes = values[3],
                    .inodes = values[4],
                    .later = std::move(later)};
  if (values[0]) {
    facts.uptime = std::chrono::nanoseconds(*values[0]);
  }
  return facts;
}

}  // namespace dexlock
