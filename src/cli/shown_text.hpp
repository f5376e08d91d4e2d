// Texts of unknown origin, times and sizes as a terminal shows them.
//
// Threads: pure functions, but for speaks_utf8(), which reads the environment.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dexlock {

// How many bytes the first character of `text` has; 0: it is no UTF-8.
[[nodiscard]] std::size_t character_bytes(std::string_view text);

// What LC_ALL, LC_CTYPE or LANG ask for.
[[nodiscard]] bool speaks_utf8();

// Nothing in it that a terminal would obey: other characters become `?`, and so do those beyond
// ASCII unless `utf8`.
[[nodiscard]] std::string shown_text(std::string_view raw, bool utf8 = speaks_utf8());

// The same for several lines, each with its newline.
[[nodiscard]] std::string shown_lines(std::string_view raw, bool utf8 = speaks_utf8());

// Cut to so many columns, one for each character.
[[nodiscard]] std::string cut_text(std::string_view text, std::size_t columns);

// "0.35 ms", "12 ms", "3.2 s", "4 min", "5 h"; "-" for nothing.
[[nodiscard]] std::string shown_time(const std::optional<std::chrono::nanoseconds>& time);
// "12.3 GB"; "-" for nothing.
[[nodiscard]] std::string shown_bytes(const std::optional<std::uint64_t>& bytes);
// Of the wall clock: "2026-05-01 13:45:10" in the local time zone; "-" for nothing.
[[nodiscard]] std::string shown_moment(const std::optional<std::chrono::milliseconds>& moment);

}  // namespace dexlock
