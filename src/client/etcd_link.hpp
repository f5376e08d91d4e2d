// The link to an etcd cluster: every decision is EtcdAcceptor's, every call goes by EtcdCalls. Here
// is what concerns the cluster as a whole: its group, and what is asked by who looks on.
//
// Threads: as Link; the service's thread only posts to the loop.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/etcd_files.hpp"
#include "client/link.hpp"
#include "etcd/service.hpp"

namespace boost::asio {
class io_context;
}

namespace dexlock {

inline constexpr std::chrono::seconds kEtcdIdle = std::chrono::hours(24 * 30);

struct EtcdLinkOptions {
  Result<EtcdAccess> access;  // an error is told by on_down
  std::string prefix;
  std::string shown;
  std::chrono::seconds idle = kEtcdIdle;  // a record that nobody has used for so long is removed
  std::filesystem::path remembered_file;  // empty: nothing is remembered
  std::function<Result<std::unique_ptr<EtcdService>>(const EtcdService::Options&)> make_service;
};

[[nodiscard]] std::unique_ptr<Link> make_etcd_link(boost::asio::io_context& loop,
                                                   EtcdLinkOptions options,
                                                   Link::Handlers handlers);

}  // namespace dexlock
