// What every fuzz target shares. A target is one file NAME_fuzz.cpp that defines consume(); a
// property that does not hold ends the process as an INVARIANT does, and so the input is found.
//
// Threads: one.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "lock/invariant.hpp"

namespace dexlock::fuzz {

// Called for each input. The bytes behind `text` are poisoned: reading on is a finding.
void consume(std::string_view text);

// What is printed for people or written as a line: neither control bytes nor a second line.
inline bool is_one_line(std::string_view text) {
  return std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

// Takes the first line off `text`, without its end.
inline std::string_view take_line(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

}  // namespace dexlock::fuzz
