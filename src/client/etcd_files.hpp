// What a link to etcd needs of files, read once: certificates, and who signs in. And the highest
// revision that this host has been told, which a cluster that is restored from a snapshot is below.
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

// 0: not known. An empty path remembers nothing.
[[nodiscard]] std::int64_t remembered_revision(const std::filesystem::path& file);
// A file that cannot be written costs a check, not a lock.
void remember_revision(const std::filesystem::path& file, std::int64_t revision);

}  // namespace dexlock
