// The link to a server over ssh: nothing installed there (the shell store is sent along and its
// acceptor runs here), or the native program, as the server's greeting tells.
//
// Threads: as Link.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/connection_pool.hpp"
#include "client/link.hpp"
#include "transport/ssh_command.hpp"

namespace boost::asio {
class io_context;
}

namespace dexlock {

struct SshLinkOptions {
  SshTarget target;
  std::vector<std::string> ssh_options;
  std::string root;  // the store's directory there
  bool allow_unsynced = false;
  ConnectionPool* pool = nullptr;  // where one may be taken from and left
};

[[nodiscard]] std::unique_ptr<Link> make_ssh_link(boost::asio::io_context& loop,
                                                  SshLinkOptions options, Link::Handlers handlers);

}  // namespace dexlock
