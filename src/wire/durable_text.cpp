#include "wire/durable_text.hpp"

#include <array>
#include <limits>

#include "lock/fields.hpp"
#include "lock/record_text.hpp"
#include "wire/line_fields.hpp"
#include "wire/soft_lists.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kVersion = "1";

// What stands before the next `;`, if it begins with `label`, which is left out.
std::optional<std::string_view> part(std::string_view& text, std::string_view label) {
  const auto end = text.find(';');
  const std::string_view found = text.substr(0, end);
  if (end == std::string_view::npos || !found.starts_with(label)) {
    return std::nullopt;
  }
  text.remove_prefix(end + 1);
  return found.substr(label.size());
}

std::optional<Ballot> ballot_part(std::string_view& text, std::string_view label) {
  const auto found = part(text, label);
  return found ? parse_ballot(*found) : std::nullopt;
}

bool obeys_invariants(const Durable& durable) {
  const bool ordered = durable.accepted <= durable.promised && durable.fence <= durable.promised &&
                       durable.accepted.epoch > 0 && durable.fence.epoch > 0;
  const bool absent = !durable.value;
  const Ballot never{.epoch = durable.accepted.epoch};
  return ordered && (!absent || durable.accepted == never) &&
         (!durable.open || absent || durable.value->is_free());
}

// Of a Durable, or of the State that shows one.
template <class Shown>
void append_shown(std::string& out, const Shown& shown) {
  append(out, kVersion, ";p=");
  append_ballot(out, shown.promised);
  append(out, ";f=");
  append_ballot(out, shown.fence);
  append(out, ";a=");
  append_ballot(out, shown.accepted);
  append(out, shown.open ? ";s=open" : ";s=closed", shown.copied ? ".copied;v=" : ";v=");
  if (shown.value) {
    append_record(out, *shown.value);
  } else {
    append(out, '-');
  }
}

}  // namespace

std::string durable_text(const Durable& durable) {
  std::string out;
  out.reserve(kUsualLineBytes);
  append_shown(out, durable);
  return out;
}

void append_durable(std::string& out, const State& state) { append_shown(out, state); }

std::optional<Durable> parse_durable(std::string_view text) {
  const auto version = part(text, kVersion);
  const auto promised = ballot_part(text, "p=");
  const auto fence = ballot_part(text, "f=");
  const auto accepted = ballot_part(text, "a=");
  auto state = part(text, "s=");
  if (!version || !version->empty() || !promised || !fence || !accepted || !state ||
      !text.starts_with("v=")) {
    return std::nullopt;
  }
  Durable durable{.promised = *promised, .fence = *fence, .accepted = *accepted};
  constexpr std::string_view kCopied = ".copied";
  durable.copied = state->ends_with(kCopied);
  if (durable.copied) {
    state->remove_suffix(kCopied.size());
  }
  durable.open = *state == "open";
  if (!durable.open && *state != "closed") {
    return std::nullopt;
  }
  text.remove_prefix(2);
  if (text != "-") {
    durable.value = parse_record(text);
    if (!durable.value) {
      return std::nullopt;
    }
  }
  return obeys_invariants(durable) ? std::optional(std::move(durable)) : std::nullopt;
}

std::string soft_text(const Soft& soft) {
  return std::string(kVersion) + ";b=" + beats_text(soft.beats) +
         (soft.promised ? ";p=" + ballot_text(*soft.promised) : "") +
         ";t=" + tickets_text(soft.tickets, std::numeric_limits<std::size_t>::max());
}

std::optional<Soft> parse_soft(std::string_view text) {
  const auto version = part(text, kVersion);
  const auto beats_part = part(text, "b=");
  if (!version || !version->empty() || !beats_part) {
    return std::nullopt;
  }
  std::optional<Ballot> promised;
  if (text.starts_with("p=")) {
    promised = ballot_part(text, "p=");
    if (!promised) {
      return std::nullopt;
    }
  }
  if (!text.starts_with("t=")) {
    return std::nullopt;
  }
  auto beats = parse_beats(*beats_part);
  auto tickets = parse_tickets(text.substr(2));
  if (!beats || !tickets) {
    return std::nullopt;
  }
  return Soft{std::move(*beats), std::move(*tickets), promised};
}

}  // namespace dexlock
