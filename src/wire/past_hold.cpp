#include "wire/past_hold.hpp"

#include <array>
#include <utility>

#include "lock/escape.hpp"
#include "lock/fields.hpp"
#include "wire/line_fields.hpp"

namespace dexlock {
namespace {

constexpr EnumWords<HoldState, 5> kStates({"holding", "released", "expired", "broken", "ended"});

constexpr std::uint64_t kMillisecondsMax = 999'999'999'999'999;  // beyond the year 30000

using Moment = std::optional<std::chrono::milliseconds>;

void append_moment(std::string& out, const Moment& moment) {
  if (moment) {
    append(out, moment->count());
  } else {
    append(out, '-');
  }
}

std::optional<Moment> parse_moment(std::string_view text) {
  if (text == "-") {
    return std::optional<Moment>(std::in_place, std::nullopt);
  }
  const auto number = parse_number(text, kMillisecondsMax);
  return number ? std::optional<Moment>(std::in_place, std::chrono::milliseconds(*number))
                : std::nullopt;
}

}  // namespace

std::string past_hold_text(const PastHold& hold) {
  std::string out;
  append(out, hold.token.value, ':');
  append_moment(out, hold.from);
  append(out, ':');
  append_moment(out, hold.to);
  append(out, ':', kStates[hold.state], ':', escape_text(hold.who));
  return out;
}

std::optional<PastHold> parse_past_hold(std::string_view text) {
  const auto parts = split_fields(text, ':', 5);
  if (!parts || parts->size() != 5 || (*parts)[4].size() > kWhoBytesMax) {
    return std::nullopt;
  }
  const auto token = parse_token((*parts)[0]);
  const auto from = parse_moment((*parts)[1]);
  const auto to = parse_moment((*parts)[2]);
  const auto state = kStates((*parts)[3]);
  auto who = unescape_text((*parts)[4]);
  if (!token || !from || !to || !state || !who) {
    return std::nullopt;
  }
  return PastHold{*token, *from, *to, *state, std::move(*who)};
}

std::string past_holds_text(const std::vector<PastHold>& holds) {
  std::string out;
  for (const PastHold& hold : holds) {
    append(out, out.empty() ? "" : ",", past_hold_text(hold));
  }
  return out.empty() ? "-" : out;
}

std::optional<std::vector<PastHold>> parse_past_holds(std::string_view text) {
  std::vector<PastHold> holds;
  if (text == "-") {
    return holds;
  }
  const auto parts = split_fields(text, ',', kPastHoldsMax);
  if (!parts) {
    return std::nullopt;
  }
  for (const std::string_view part : *parts) {
    auto hold = parse_past_hold(part);
    if (!hold) {
      return std::nullopt;
    }
    holds.push_back(std::move(*hold));
  }
  return holds;
}

HoldState how_ended(const Holder& holder, const Record& after) {
  if (!after.last || after.last->token != holder.token || after.last->client != holder.client) {
    return HoldState::ended;
  }
  switch (after.last->how) {
    case EndKind::released:
      return HoldState::released;
    case EndKind::expired:
      return HoldState::expired;
    case EndKind::broken:
      return HoldState::broken;
  }
  return HoldState::ended;
}

std::string_view hold_word(HoldState state) { return kStates[state]; }

}  // namespace dexlock
