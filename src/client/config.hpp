// What the user configured: the lock servers and how to reach them.
//
// Read from the first of these directories that holds any of the files lock_servers, remote_path,
// sshopt, options: $DEXLOCK_CONF (then no other is looked at), the installation's conf/, the
// user's, the system's. Where none does, the embedded store of this user on this machine serves.
//
// Invariants:  servers is neither empty nor longer than kServersMax and holds no place twice. What
// is
//              there but wrong is always an error: passing over a damaged configuration to the next
//              one would let two callers use different servers, each holding "the" lock.
// Threads:     any; reads environment and files.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "client/config_places.hpp"
#include "client/server_entry.hpp"
#include "dexlock/error.hpp"
#include "lock/quorum.hpp"
#include "transport/tls_context.hpp"

namespace dexlock {

struct Config {
  std::vector<ServerEntry> servers;
  std::string remote_path = ".dex-lock";
  std::vector<std::string> ssh_options;
  std::string source;             // the directory it was read from, or ""
  bool embedded_default = false;  // nothing was configured
  bool allow_unsynced = false;
  bool fast_ballots = true;
  TlsFiles tls;                          // for tls:// and etcds:// servers; absolute
  std::filesystem::path etcd_user_file;  // absolute
  std::string etcd_prefix = "/dex-lock/v1/";
  std::chrono::seconds etcd_idle = std::chrono::hours(24 * 30);
  std::vector<std::string> warnings;  // each one line

  friend bool operator==(const Config&, const Config&) = default;
};

// bad_config: one line that names the file or entry and what to do.
Result<Config> load_config(const ConfigPlaces& places);

}  // namespace dexlock
