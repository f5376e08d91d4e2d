// One entry of lock_servers, taken apart:
//   HOST | [USER@]HOST[:PORT] | [USER@][V6ADDRESS][:PORT] | ssh://[USER@]HOST[:PORT][/PATH] |
//   dir:/PATH | unix:/PATH | tcp://HOST:PORT | tls://HOST:PORT |
//   etcd://HOST:PORT,HOST:PORT... | etcds://HOST:PORT,HOST:PORT...
// and the rules for a path on a lock server, which remote_path shares.
//
// Invariants:  user_host never begins with '-' and holds nothing that a shell or ssh's own option
// parser
//              would take for more than a name; path holds no control byte.
// Threads:     pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dexlock/error.hpp"
#include "transport/socket_address.hpp"

namespace dexlock {

struct ServerEntry {
  enum class Kind { ssh, dir, socket, etcd };

  Kind kind{};
  std::string shown;      // as written
  std::string user_host;  // ssh: the destination word, an IPv6 address without brackets
  std::optional<int> port;
  std::string path;  // dir: an absolute path; ssh: instead of remote_path, or empty
  SocketAddress socket = {};
  std::vector<std::string> endpoints = {};  // etcd: HOST:PORT
  bool etcd_tls = false;

  friend bool operator==(const ServerEntry&, const ServerEntry&) = default;
};

// True when both lead to the same place in the same way, however they are written.
bool is_same_place(const ServerEntry& a, const ServerEntry& b);

// bad_config, in one line that quotes the entry.
Result<ServerEntry> parse_server_entry(std::string_view text);

// A store's path on a server: absolute, or relative to the login directory (a leading ~/ says the
// same).
Result<std::string> parse_remote_path(std::string_view text);

}  // namespace dexlock
