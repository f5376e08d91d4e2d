#include "client/remembered_servers.hpp"

#include <algorithm>
#include <vector>

namespace dexlock {

std::string remembered_servers(const Config& config) {
  std::vector<std::string> entries;
  for (const ServerEntry& entry : config.servers) {
    // Below another prefix of the same cluster is another group.
    const bool etcd = entry.kind == ServerEntry::Kind::etcd;
    entries.push_back(etcd ? entry.shown + ' ' + config.etcd_prefix : entry.shown);
  }
  std::ranges::sort(entries);
  std::string servers = config.remote_path + '\n';
  for (const std::string& entry : entries) {
    servers += entry + '\n';
  }
  return servers;
}

}  // namespace dexlock
