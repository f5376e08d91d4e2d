// What one server remembers of one lock, as one printable word: in the files of a store and in
// every answer.
//
//   durable  1;p=BALLOT;f=BALLOT;a=BALLOT;s=STATE;v=RECORD
//            p promised, f fence, a accepted, each epoch.round.high.low.fast
//            STATE   open | closed | open.copied | closed.copied
//            RECORD  the accepted record, which has ; of its own and so comes last; `-` if there is
//                    none
//   soft     1;b=BEATS;t=TICKETS, and where a promise is unsynced 1;b=BEATS;p=BALLOT;t=TICKETS
//
// Invariants:  one text for one value: texts may be compared instead of values.
//              a text that is accepted obeys the invariants of Durable.
//              letters, digits and . _ @ / + - % : ; , = only, so it stands in a shell's variable,
//              and `~` or `^` may separate it from another.
// Threads:     pure functions. Hostile input yields nothing, never a guess.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "register/acceptor.hpp"

namespace dexlock {

// The largest text parse_durable accepts: the record, three ballots and what stands between.
inline constexpr std::size_t kDurableBytesMax = kRecordBytesMax + 3 * 45 + 35;

[[nodiscard]] std::string durable_text(const Durable& durable);
void append_durable(std::string& out, const State& state);  // as much of it as is durable
[[nodiscard]] std::optional<Durable> parse_durable(std::string_view text);

// For stores that keep heartbeats and tickets outside of any process, unsynced.
[[nodiscard]] std::string soft_text(const Soft& soft);
[[nodiscard]] std::optional<Soft> parse_soft(std::string_view text);

}  // namespace dexlock
