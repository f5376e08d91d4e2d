// What a link to etcd needs of files, read once: certificates, and who signs in. And what this host
// remembers of the cluster: the highest revision that it was told, which one that is restored from
// a snapshot is below, and the endpoint that answered last, so that one that is dark does not cost
// each command its time.
//
//   REVISION ENDPOINT newline        ENDPOINT: which of the configured, from 0
//
// Threads: any.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "dexlock/error.hpp"
#include "etcd/service.hpp"
#include "transport/tls_context.hpp"

namespace dexlock {

struct EtcdAccess {
  EtcdService::Options service;
  std::string user;  // empty: nobody signs in
  std::string password;
};

// `files`: where it is TLS. `user_file`: NAME:PASSWORD in its first line; may be empty.
[[nodiscard]] Result<EtcdAccess> read_etcd_access(std::vector<std::string> endpoints,
                                                  const TlsFiles* files,
                                                  const std::filesystem::path& user_file);

struct EtcdRemembered {
  std::int64_t revision = 0;
  std::size_t endpoint = 0;
  std::uint64_t cluster = 0;
  friend bool operator==(const EtcdRemembered&, const EtcdRemembered&) = default;
};

// Nothing, as of an empty path: all zero.
[[nodiscard]] EtcdRemembered remembered_etcd(const std::filesystem::path& file);
// The revision never goes down. A file that cannot be written costs a check, not a lock.
void remember_etcd(const std::filesystem::path& file, EtcdRemembered remembered);

}  // namespace dexlock
