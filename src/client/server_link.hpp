// The link to one of the configured servers, of whatever kind it is; and how the group of all is
// named.
//
// Threads: as Link.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/config.hpp"
#include "client/connection_pool.hpp"
#include "client/link.hpp"

namespace boost::asio {
class io_context;
}

namespace dexlock {

// `pool`: of connections over ssh; must outlive the link. `etcd_file`: see HostMemory.
[[nodiscard]] std::unique_ptr<Link> make_server_link(boost::asio::io_context& loop,
                                                     const Config& config, std::size_t server,
                                                     Link::Handlers handlers,
                                                     ConnectionPool* pool = nullptr,
                                                     const std::filesystem::path& etcd_file = {});

[[nodiscard]] std::vector<std::string> shown_names(const Config& config);

// For Assembly.
[[nodiscard]] std::string group_digest(std::string_view text);

}  // namespace dexlock
