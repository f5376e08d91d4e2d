// Who had a lock, from when to when, and how that ended: what servers keep of it beside the record,
// for people. Nothing is ever decided by it, and it may lack entries.
//
//   TOKEN:FROM:TO:HOW:WHO      FROM, TO  ms since 1970 on the server's wall clock; `-`: not known
//                              HOW       holding released expired broken ended
//                              WHO       escaped
//
// "ended" is for a holder of which the server has missed how it ended.
//
// Threads: plain values and pure functions. Hostile input yields nothing, never a guess.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lock/ids.hpp"
#include "lock/record.hpp"

namespace dexlock {

enum class HoldState { holding, released, expired, broken, ended };

struct PastHold {
  FencingToken token;
  std::optional<std::chrono::milliseconds> from;
  std::optional<std::chrono::milliseconds> to;
  HoldState state = HoldState::holding;
  std::string who;
  friend bool operator==(const PastHold&, const PastHold&) = default;
};

inline constexpr std::size_t kPastHoldsMax = 20;  // of one lock

[[nodiscard]] std::string past_hold_text(const PastHold& hold);
[[nodiscard]] std::optional<PastHold> parse_past_hold(std::string_view text);

// Separated by commas; `-` if there are none.
[[nodiscard]] std::string past_holds_text(const std::vector<PastHold>& holds);
[[nodiscard]] std::optional<std::vector<PastHold>> parse_past_holds(std::string_view text);

// What became of `holder`, which `after` does not list any more.
[[nodiscard]] HoldState how_ended(const Holder& holder, const Record& after);
[[nodiscard]] std::string_view hold_word(HoldState state);

}  // namespace dexlock
