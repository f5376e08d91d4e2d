// Entries of lock_servers: what is accepted holds nothing that ssh or a shell would take for more
// than a name, and is the same place when it is written in full.
#include "client/server_entry.hpp"
#include "fuzz/fuzz.hpp"

namespace {

using namespace dexlock;

std::string in_full(const ServerEntry& entry) {
  if (entry.kind == ServerEntry::Kind::dir) {
    return "dir:" + entry.path;
  }
  if (entry.kind == ServerEntry::Kind::socket) {
    const SocketAddress& at = entry.socket;
    if (at.kind == SocketAddress::Kind::unix_socket) {
      return "unix:" + at.path;
    }
    const std::string scheme = at.kind == SocketAddress::Kind::tcp ? "tcp://" : "tls://";
    const bool bare = at.host.find(':') == std::string::npos;
    return scheme + (bare ? at.host : '[' + at.host + ']') + ':' + std::to_string(at.port);
  }
  const auto at = entry.user_host.rfind('@') + 1;  // npos + 1 is 0
  const std::string host = entry.user_host.substr(at);
  const bool bare = host.find(':') == std::string::npos;
  std::string text = "ssh://" + entry.user_host.substr(0, at) + (bare ? host : '[' + host + ']');
  if (entry.port) {
    text += ':' + std::to_string(*entry.port);
  }
  return text + (entry.path.empty() || entry.path.starts_with('/') ? "" : "/~/") + entry.path;
}

void check(const ServerEntry& entry) {
  if (entry.kind == ServerEntry::Kind::dir) {
    INVARIANT(entry.path.starts_with('/'));
  } else if (entry.kind == ServerEntry::Kind::socket) {
    const bool is_path = entry.socket.kind == SocketAddress::Kind::unix_socket;
    INVARIANT(is_path == entry.socket.path.starts_with('/'));
    INVARIANT(is_path == entry.socket.host.empty());
    INVARIANT(is_path || (entry.socket.port >= 1 && entry.socket.port <= 65535));
  } else {
    INVARIANT(!entry.user_host.empty() && entry.user_host.front() != '-');
    INVARIANT(entry.user_host.find_first_of(" \t\"'`$;&|<>(){}*?!#~=\n") == std::string::npos);
    INVARIANT(!entry.path.starts_with('-') && !entry.path.starts_with('~'));
    INVARIANT(!entry.port || (*entry.port >= 1 && *entry.port <= 65535));
  }
  INVARIANT(fuzz::is_one_line(entry.path));
}

}  // namespace

void dexlock::fuzz::consume(std::string_view text) {
  if (const auto path = parse_remote_path(text)) {
    INVARIANT(parse_remote_path(*path) == *path);
  } else {
    INVARIANT(is_one_line(path.error().text));
  }
  const auto entry = parse_server_entry(text);
  if (!entry) {
    INVARIANT(is_one_line(entry.error().text));
    return;
  }
  check(*entry);
  const std::string full = in_full(*entry);
  if (full.size() <= 1024) {
    const auto again = parse_server_entry(full);
    INVARIANT(again.has_value());
    INVARIANT(is_same_place(*entry, *again));
  }
}
