// Where a guarded resource is: here, or on a host, as scp names it.
//
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>

#include "dexlock/error.hpp"

namespace dexlock {

struct HostPath {
  std::string host;  // as ssh takes it: USER@HOST, without brackets
  std::string path;
};

// HOST:PATH or [ADDRESS]:PATH, each with USER@ before it. Nothing: a path on this host, as is all
// that has a slash before its first colon, or begins with a colon or a dash. Error: neither.
[[nodiscard]] Result<std::optional<HostPath>> parse_resource_place(const std::string& resource);

}  // namespace dexlock
