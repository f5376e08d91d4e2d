// The one key PREFIXgroup: which cluster this is for, and which group lives there.
//
//   1 INCARNATION CLUSTER                          INCARNATION drawn when the key was made
//   1 INCARNATION CLUSTER GROUP EPOCH proposed|active     CLUSTER etcd's id, hexadecimal
//
// Threads: pure functions. Hostile input yields nothing, never a guess.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "register/assembly.hpp"

namespace dexlock {

struct EtcdGroup {
  std::string incarnation;
  std::string cluster;
  std::optional<Group> group;
  bool active = false;
};

[[nodiscard]] std::string cluster_text(std::uint64_t cluster);
[[nodiscard]] std::string etcd_group_text(const EtcdGroup& group);
[[nodiscard]] std::optional<EtcdGroup> parse_etcd_group(std::string_view text);

}  // namespace dexlock
