// Records as text: printable, without blanks, readable with `cat`, one canonical form per record.
//
//   1;n=COUNT;o=OP[;cap=N][;h=HOLDER[,HOLDER]...][;l=DEPARTED][;g=GATE][;note=TEXT][;d=TEXT][;later
//   fields] HOLDER   = token:client:op:mode:weight:lease:stop:claim:drift:ticket:who[:later fields]
//   DEPARTED = token:client:how:fenced:who        GATE = hold:TEXT | moved:TEXT
//
// Threads: pure functions. Hostile input yields nothing, never a guess.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lock/record.hpp"

namespace dexlock {

[[nodiscard]] std::string record_text(const Record& record);

// What could not be read back must not be written: too many bytes, or fields.
[[nodiscard]] bool can_be_read_back(const Record& record);
void append_record(std::string& out, const Record& record);
[[nodiscard]] std::optional<Record> parse_record(std::string_view text);

}  // namespace dexlock
