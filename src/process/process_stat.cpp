#include "process/process_stat.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <vector>

#include "system/small_file.hpp"

namespace dexlock {
namespace {

constexpr std::size_t kStatBytesMax = 4096;  // 52 numbers and a short command

// Where the fields stand behind "PID (COMMAND) ", as proc(5) counts them minus 3.
constexpr std::size_t kParentAt = 1;
constexpr std::size_t kSessionAt = 3;
constexpr std::size_t kFlagsAt = 6;
constexpr std::size_t kStartAt = 19;

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    return std::nullopt;
  }
  return value;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(" \n"), text.size());
    if (end > 0) {
      words.push_back(text.substr(0, end));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::optional<ProcessStat> read_stat_file(const std::string& path) {
  const auto text = read_small(path, kStatBytesMax);
  return text.has_value() ? parse_process_stat(*text) : std::nullopt;
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  const auto open = text.find(" (");
  const auto close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2) {
    return std::nullopt;
  }
  const auto words = words_of(text.substr(close + 1));
  if (words.size() <= kStartAt) {
    return std::nullopt;
  }
  const auto pid = number_of<pid_t>(text.substr(0, open));
  const auto parent = number_of<pid_t>(words[kParentAt]);
  const auto session = number_of<pid_t>(words[kSessionAt]);
  const auto flags = number_of<std::uint64_t>(words[kFlagsAt]);
  const auto start = number_of<std::uint64_t>(words[kStartAt]);
  if (!pid || !parent || !session || !flags || !start) {
    return std::nullopt;
  }
  return ProcessStat{.pid = *pid,
                     .command = std::string(text.substr(open + 2, close - open - 2)),
                     .state = words.front().front(),
                     .parent = *parent,
                     .session = *session,
                     .flags = *flags,
                     .start = *start};
}

std::optional<ProcessStat> read_process_stat(pid_t pid) {
  auto stat = read_stat_file("/proc/" + std::to_string(pid) + "/stat");
  return stat && stat->pid == pid ? stat : std::nullopt;
}

std::optional<ProcessStat> read_own_stat() { return read_stat_file("/proc/self/stat"); }

}  // namespace dexlock
