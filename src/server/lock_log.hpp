// Lines of the log about locks. What came from outside is quoted: one event is one line, and no
// text in it can pass for another event.
//
//   granted|handed-over|released|expired|broken|ended lock=NAME token=NUMBER owner="WHO"
//   denied verb=VERB lock=NAME certificate="NAME"
//   request verb=VERB lock=NAME outcome=WORD connection=NUMBER
//
// "ended" is for a holder of which it is not known here how it ended: this server has missed
// changes in between, or the value that listed it was never chosen.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lock/record.hpp"
#include "wire/request_line.hpp"

namespace dexlock {

// What an accepted value has changed for its holders; those who left come first.
[[nodiscard]] std::vector<std::string> lines_of_change(std::string_view lock, const Record& before,
                                                       const Record& after);

[[nodiscard]] std::string line_of_denial(const ClientLine& asked, std::string_view certificate);
[[nodiscard]] std::string line_of_request(const ClientLine& asked, std::string_view outcome,
                                          std::uint64_t connection);

}  // namespace dexlock
