// HOST, HOST:PORT, [V6ADDRESS]:PORT taken apart.
//
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dexlock {

inline constexpr int kPortMax = 65535;

struct HostPort {
  std::string_view host;
  std::optional<std::string_view> port;
  bool bracketed = false;
};

// Splits without judging the parts; nothing when the brackets or colons do not pair up.
[[nodiscard]] std::optional<HostPort> split_host_port(std::string_view text);

// What is wrong with a host, or nothing. `bracketed`: an IPv6 address, perhaps with a %zone.
[[nodiscard]] std::string host_fault(std::string_view host, bool bracketed);

[[nodiscard]] std::optional<int> parse_port(std::string_view text);

// Letters, digits and what stands in `besides_alphanumeric`.
[[nodiscard]] bool consists_of(std::string_view text, std::string_view besides_alphanumeric);

}  // namespace dexlock
