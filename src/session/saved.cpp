#include "session/saved.hpp"

#include <array>
#include <limits>

#include "lock/clock_reading.hpp"
#include "lock/fields.hpp"
#include "lock/record_text.hpp"

namespace dexlock {
namespace {

constexpr std::size_t kParts = 14;           // of version 1
constexpr std::size_t kPartsWithPlace = 18;  // of version 2
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

std::optional<PlaceInLine> parse_place(std::string_view number, std::string_view refresh,
                                       std::string_view boot, std::string_view raw) {
  const auto ticket = parse_number(number, kSmallNumberMax);
  const auto sent = parse_number(refresh, kSmallNumberMax);
  const auto at_boot = parse_clock_reading(boot);
  const auto at_raw = parse_clock_reading(raw);
  if (!ticket || *ticket == 0 || !sent || !at_boot || !at_raw) {
    return std::nullopt;
  }
  return PlaceInLine{static_cast<std::uint32_t>(*ticket), static_cast<std::uint32_t>(*sent),
                     Instant{*at_boot, *at_raw}};
}

}  // namespace

std::string saved_text(const Saved& saved) {
  std::string out;
  append(out, saved.place ? "2 " : "1 ", saved.client.text, ' ',
         saved.group.empty() ? "-" : saved.group, ' ', saved.token.value, ' ');
  append_ballot(out, saved.granted_at);
  append(out, ' ', saved.record ? record_text(*saved.record) : "-", ' ', saved.start.boot.count(),
         ' ', saved.start.raw.count(), ' ', saved.lease.count(), ' ', saved.beat,
         saved.maybe_listed ? " 1 " : " 0 ");
  append(out, saved.sticky ? ballot_text(saved.sticky->ballot) : "-", ' ',
         saved.sticky ? record_text(saved.sticky->base) : "-");
  if (const auto& place = saved.place) {
    append(out, ' ', place->number, ' ', place->refresh, ' ', place->refused.boot.count(), ' ',
           place->refused.raw.count());
  }
  append(out, " end");
  return out;
}

std::optional<Saved> parse_saved(std::string_view text) {
  const auto parts = split_fields(text, ' ', kPartsWithPlace);
  const bool placed = parts && parts->front() == "2";
  if (!parts || parts->size() != (placed ? kPartsWithPlace : kParts) ||
      (!placed && parts->front() != "1") || parts->back() != "end") {
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
  if (placed) {
    saved.place = parse_place(p[13], p[14], p[15], p[16]);
    if (!saved.place) {
      return std::nullopt;
    }
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
