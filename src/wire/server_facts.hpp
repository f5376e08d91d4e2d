// What a lock server can tell of the machine it is on: for people who look after it, never for
// decisions.
//
//   KEY=VALUE KEY=VALUE ...      those that are known, in this order; `-`: none. Behind them may
//   stand
//                                ones of later versions, which are kept as they are.
//
//   uptime         ns since boot, on the clock that runs through suspend
//   free, size     bytes of the file system that the store is on: for this user, and all
//   inodes-free, inodes
//
// Threads: plain values and pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dexlock {

struct ServerFacts {
  std::optional<std::chrono::nanoseconds> uptime;
  std::optional<std::uint64_t> free_bytes;
  std::optional<std::uint64_t> bytes;
  std::optional<std::uint64_t> free_inodes;
  std::optional<std::uint64_t> inodes;
  std::vector<std::string> later;  // KEY=VALUE of a newer version
  friend bool operator==(const ServerFacts&, const ServerFacts&) = default;
};

[[nodiscard]] std::string facts_text(const ServerFacts& facts);
[[nodiscard]] std::optional<ServerFacts> parse_facts(std::string_view text);

}  // namespace dexlock
