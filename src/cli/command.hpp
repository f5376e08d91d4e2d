// The table of commands.
//
// Threads: constants.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace dexlock {

struct Command {
  std::string_view name;
  int (*run)(std::span<const std::string> words);
  bool is_link;  // also a program of its own, as documented
  std::string_view summary;
};

[[nodiscard]] std::span<const Command> all_commands();

}  // namespace dexlock
