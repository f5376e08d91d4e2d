// Which group a request is meant for, and which of its servers: a server that is another one, or
// whose group has moved on to a new epoch, refuses instead of answering for somebody else.
//
//   GROUP.INCARNATION.eEPOCH        also the name of the directory in a store of plain files
//
// Threads: plain values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lock/ids.hpp"
#include "wire/line_fields.hpp"

namespace dexlock {

struct Where {
  std::string group;        // [a-z0-9]{1,32}
  std::string incarnation;  // [a-z0-9]{1,32}, of the one server
  Epoch epoch{1};
  friend bool operator==(const Where&, const Where&) = default;
};

// The tokens of the last epoch are the last ones below 2^63.
inline constexpr std::uint64_t kEpochMax = std::uint64_t{1} << 23U;
static_assert(make_token(Epoch{kEpochMax}, kTokenCountMax).value == kTokenMax);

[[nodiscard]] std::string where_text(const Where& where);
[[nodiscard]] std::optional<Where> parse_where(std::string_view text);

[[nodiscard]] std::optional<Epoch> parse_epoch(std::string_view text);  // 1 to kEpochMax

}  // namespace dexlock
