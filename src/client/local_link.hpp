// The link to a store on this machine (`dir:`), in process. The store works on a thread of its own,
// because a disk may hang: the event loop, which stops work when a lease ends, must never wait for
// one.
//
// Threads: as Link; the store's thread touches nothing of the link but its mailbox.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "client/link.hpp"

namespace boost::asio {
class io_context;
}

namespace dexlock {

struct LocalLinkOptions {
  std::filesystem::path path;
  std::string shown;
  bool sole = false;                          // the only acceptor of its group, see SoleAcceptor
  std::chrono::milliseconds lock_wait{3000};  // below what calls wait: so they can tell who writes
};

[[nodiscard]] std::unique_ptr<Link> make_local_link(boost::asio::io_context& loop,
                                                    LocalLinkOptions options,
                                                    Link::Handlers handlers);

}  // namespace dexlock
