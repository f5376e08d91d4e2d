// What all calls of this user on this host share about a group of servers: which group a list of
// servers led to, and per lock what was seen of its holders and since when. So a job that tries
// once a minute does take over from a dead holder, although each try is another process.
//
// Invariants:  each sighting is complete (server, heartbeat, boot, instant); a text that is
// damaged, of another
//              boot or of another group counts as nothing seen.
// Threads:     any; the last writer wins, whole.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dexlock/error.hpp"
#include "lease/observer.hpp"
#include "lease/queue_view.hpp"

namespace dexlock {

struct SeenLock {
  std::string group;
  std::uint32_t round = 0;  // highest ballot round seen: where to begin
  struct Sight {
    GrantId grant;
    std::string incarnation;
    Sighting sighting;
  };
  std::vector<Sight> sights;
  std::vector<TicketSighting> tickets;
};

[[nodiscard]] std::string seen_text(const SeenLock& seen);
[[nodiscard]] std::optional<SeenLock> parse_seen(std::string_view text);

class HostMemory {
 public:
  // `servers`: the configured list as text, whatever the order of its entries.
  HostMemory(std::filesystem::path state_dir, const std::string& servers);

  [[nodiscard]] std::optional<std::string> group() const;
  [[nodiscard]] Result<void> remember_group(const std::string& group) const;
  void forget_group() const;
  // What client/etcd_files.hpp remembers, where the servers are one etcd cluster.
  [[nodiscard]] std::filesystem::path etcd_file() const;

  [[nodiscard]] std::optional<SeenLock> seen(const std::string& lock_file) const;
  void remember_seen(const std::string& lock_file, const SeenLock& seen) const;

 private:
  std::filesystem::path state_dir_;
  std::filesystem::path group_file_;
};

}  // namespace dexlock
