#include "client/server_link.hpp"

#include <utility>

#include "client/etcd_library.hpp"
#include "client/etcd_link.hpp"
#include "client/local_link.hpp"
#include "client/socket_link.hpp"
#include "client/ssh_link.hpp"
#include "store/digest.hpp"

namespace dexlock {

std::unique_ptr<Link> make_server_link(boost::asio::io_context& loop, const Config& config,
                                       std::size_t server, Link::Handlers handlers,
                                       ConnectionPool* pool,
                                       const std::filesystem::path& etcd_file) {
  const ServerEntry& entry = config.servers.at(server);
  if (entry.kind == ServerEntry::Kind::dir) {
    return make_local_link(
        loop, {.path = entry.path, .shown = entry.shown, .sole = config.servers.size() == 1},
        std::move(handlers));
  }
  if (entry.kind == ServerEntry::Kind::socket) {
    Result<TlsContext> tls;
    if (entry.socket.kind == SocketAddress::Kind::tls) {
      tls = make_tls(TlsSide::client, config.tls);
    }
    return make_socket_link(loop, entry.socket, std::move(tls), std::move(handlers));
  }
  if (entry.kind == ServerEntry::Kind::etcd) {
    return make_etcd_link(
        loop,
        {.access = read_etcd_access(entry.endpoints, entry.etcd_tls ? &config.tls : nullptr,
                                    config.etcd_user_file),
         .prefix = config.etcd_prefix,
         .shown = entry.shown,
         .idle = config.etcd_idle,
         .remembered_file = etcd_file,
         .make_service = make_etcd_service},
        std::move(handlers));
  }
  return make_ssh_link(
      loop,
      {.target = {.user_host = entry.user_host, .port = entry.port, .shown = entry.shown},
       .ssh_options = config.ssh_options,
       .root = entry.path.empty() ? config.remote_path : entry.path,
       .allow_unsynced = config.allow_unsynced,
       .pool = pool},
      std::move(handlers));
}

std::vector<std::string> shown_names(const Config& config) {
  std::vector<std::string> names;
  for (const ServerEntry& entry : config.servers) {
    names.push_back(entry.shown);
  }
  return names;
}

std::string group_digest(std::string_view text) { return sha256_hex(text).substr(0, 24); }

}  // namespace dexlock
