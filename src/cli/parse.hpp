// Reading of arguments: one line and status 64 for anything wrong, help on stdout. And a look at
// what a command would read, for manual pages and completion.
//
// Threads: one.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "system/duration_text.hpp"

namespace CLI {
class App;
}

namespace dexlock {

inline constexpr std::chrono::milliseconds kLongestDuration{(std::int64_t{1} << 31) - 1};
inline constexpr DurationLimits kLeaseLimits{std::chrono::milliseconds(100), kLongestDuration};
inline constexpr DurationLimits kStopLimits{std::chrono::milliseconds(0), kLongestDuration};
inline constexpr DurationLimits kStepLimits{std::chrono::milliseconds(0), kLongestDuration};

// A status to end with, or nothing: go on.
[[nodiscard]] std::optional<int> parse_words(CLI::App& app, std::span<const std::string> words);

// Calls `see` with the App that the command `run` would read its words with; nothing is done.
// Every command calls parse_words() before it does anything.
void see_app(int (*run)(std::span<const std::string> words),
             const std::function<void(const CLI::App&)>& see);

// False after a complaint.
[[nodiscard]] bool read_duration(const std::string& text, const DurationLimits& limits,
                                 const std::string& what, std::chrono::milliseconds& value);

}  // namespace dexlock
