// What was seen or changed, as JSON: docs/json.md.
//
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>

#include "cli/json_text.hpp"
#include "dexlock/inspection.hpp"
#include "dexlock/maintenance.hpp"

namespace dexlock {

inline constexpr int kJsonFormat = 1;

// The object of one command, with its format in it.
[[nodiscard]] JsonObject json_answer();

[[nodiscard]] std::string json_of(const LockSight& lock);
[[nodiscard]] std::string json_of(const ServerSight& server);
[[nodiscard]] std::string json_of(const HoldSight& hold);
[[nodiscard]] std::string json_of(const LockHolder& holder);
// Of a change of the lock `name`. Nothing: the call failed before there was anything to do.
[[nodiscard]] std::optional<std::string> json_of(const std::string& name,
                                                 const Result<ChangeOutcome>& outcome);

// Adds what is known of the group and the majority.
void add_group(JsonObject& object, const ServersSight& servers);
// The troubles of the servers and `more`, each once.
[[nodiscard]] std::string json_troubles(const ServersSight& servers,
                                        const std::vector<std::string>& more);

// What `status`, `list` and `history` print.
[[nodiscard]] std::string json_answer(const ServersSight& sight);
[[nodiscard]] std::string json_answer(const LocksSight& sight);
[[nodiscard]] std::string json_answer(const HistorySight& sight);

}  // namespace dexlock
