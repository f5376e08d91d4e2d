// Who holds a lock and how, in one line for people; and what is asked of it in the words of the
// core.
//
// Threads: pure functions.
#pragma once

#include <string>

#include "dexlock/sharing.hpp"
#include "lock/record.hpp"

namespace dexlock {

[[nodiscard]] Claim claim_of(ClientId client, const Sharing& sharing);
// How `token` is held according to `record`, which lists it.
[[nodiscard]] Sharing sharing_of(const Record& record, FencingToken token);
[[nodiscard]] std::string sharing_text(const Sharing& sharing);

// "held by WHO, token N", with what keeps `claim` from joining them; or why nobody is granted it.
[[nodiscard]] std::string held_text(const Record& record, const Claim& claim);

}  // namespace dexlock
