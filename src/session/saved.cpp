#include "session/saved.hpp"

#include <array>
#include <limits>

#include "lock/clock_reading.hpp"
#include "lock/fields.hpp"
#include "lock/record_text.hpp"

namespace dexlock {
namespace {

constexpr std::size_t kParts = 14;
constexpr std::uint64_t kBig = std::numeric_limits<std::int64_t>::max();

std::optional<std::optional<Record>> optional_record(std::string_view text) {
  if (text == "-") {
    return std::optional<Record>{};
  }
  auto record = parse_record(text);
  if (!record) {
    return std::nullopt;
  }
  return record;
}

}  // namespace

std::string saved_text(const Saved& saved) {
  const auto number = [](auto value) { return std::to_string(value); };
  const bool sticky = saved.sticky.has_value();
  return "1 " + saved.client.text + ' ' + (saved.group.empty() ? "-" : saved.group) + ' ' +
         number(saved.token.value) + ' ' + ballot_text(saved.granted_at) + ' ' +
         (saved.record ? record_text(*saved.record) : "-") + ' ' +
         number(saved.start.boot.count()) + ' ' + number(saved.start.raw.count()) + ' ' +
         number(saved.lease.count()) + ' ' + number(saved.beat) + ' ' +
         (saved.maybe_listed ? "1" : "0") + ' ' +
         (sticky ? ballot_text(saved.sticky->ballot) : "-") + ' ' +
         (sticky ? record_text(saved.sticky->base) : "-") + " end";
}

std::optional<Saved> parse_saved(std::string_view text) {
  const auto parts = split_fields(text, ' ', kParts);
  if (!parts || parts->size() != kParts || parts->front() != "1" || parts->back() != "end") {
    return std::nullopt;
  }
  const auto& p = *parts;
  Saved saved{.client = {std::string(p[1])}, .group = std::string(p[2] == "-" ? "" : p[2])};
  const auto token = parse_number(p[3], kBig);
  const auto granted_at = parse_ballot(p[4]);
  const auto record = optional_record(p[5]);
  const auto boot = parse_clock_reading(p[6]);
  const auto raw = parse_clock_reading(p[7]);
  const auto lease = parse_number(p[8], kSmallNumberMax * std::uint64_t{1'000'000});
  const auto beat = parse_number(p[9], kSmallNumberMax);
  const auto listed = parse_number(p[10], 1);
  const auto base = optional_record(p[12]);
  if (!is_id_text(saved.client.text) || (!saved.group.empty() && !is_id_text(saved.group)) ||
      !token || !granted_at || !record || !boot || !raw || !lease || !beat || !listed || !base) {
    return std::nullopt;
  }
  if (p[11] != "-") {
    const auto ballot = parse_ballot(p[11]);
    if (!ballot || !*base) {
      return std::nullopt;
    }
    saved.sticky = Sticky{*ballot, **base};
  } else if (*base) {
    return std::nullopt;  // a record to build on without a promise: not the canonical form
  }
  saved.token = FencingToken{*token};
  saved.granted_at = *granted_at;
  saved.record = *record;
  saved.start = Instant{*boot, *raw};
  saved.lease = Nanoseconds(*lease);
  saved.beat = static_cast<std::uint32_t>(*beat);
  saved.maybe_listed = *listed == 1;
  return saved;
}

}  // namespace dexlock
