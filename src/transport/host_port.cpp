#include "transport/host_port.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dexlock {
namespace {

constexpr std::size_t kHostBytesMax = 255;  // a DNS name's limit

constexpr bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

bool consists_of(std::string_view text, std::string_view besides_alphanumeric) {
  return std::ranges::all_of(
      text, [&](char c) { return is_alphanumeric(c) || besides_alphanumeric.contains(c); });
}

std::optional<HostPort> split_host_port(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    const auto rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') {
      return std::nullopt;
    }
    return HostPort{.host = text.substr(1, end - 1),
                    .port = rest.empty() ? std::nullopt : std::optional(rest.substr(1)),
                    .bracketed = true};
  }
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) {
    return HostPort{.host = text, .port = {}};
  }
  return HostPort{.host = text.substr(0, colon), .port = text.substr(colon + 1)};
}

std::string host_fault(std::string_view host, bool bracketed) {
  if (host.empty()) {
    return "the host is empty";
  }
  if (host.size() > kHostBytesMax) {
    return fmt::format("the host has more than {} bytes", kHostBytesMax);
  }
  if (host.front() == '-') {
    return "a host must not begin with -, ssh would take it for an option";
  }
  if (bracketed) {
    const auto address = host.substr(0, host.find('%'));
    const bool is_address = address.contains(':') &&
                            address.find_first_not_of("0123456789abcdefABCDEF:.") == address.npos;
    return is_address && consists_of(host, ":.%_-") ? "" : "no IPv6 address between [ and ]";
  }
  return consists_of(host, "._+-") ? "" : "a host is letters, digits and . _ + -";
}

std::optional<int> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5) {
    return std::nullopt;
  }
  int port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    port = port * 10 + (c - '0');
  }
  return port >= 1 && port <= kPortMax ? std::optional(port) : std::nullopt;
}

}  // namespace dexlock
