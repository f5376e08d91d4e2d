// The link to an etcd cluster: it goes on with another endpoint where one does not answer, and
// leaves every decision to EtcdAcceptor. A call that failed is never sent again as it was: its
// outcome is read first.
//
// Threads: as Link; the service's thread only posts to the loop.
#pragma once

#include <memory>
#include <string>

#include "client/link.hpp"
#include "etcd/service.hpp"
#include "transport/tls_context.hpp"

namespace boost::asio {
class io_context;
}

namespace dexlock {

struct EtcdLinkOptions {
  std::vector<std::string> endpoints;
  bool tls = false;
  TlsFiles files;
  std::string user_file;  // NAME:PASSWORD; empty: nobody signs in
  std::string prefix;
  std::string shown;
};

[[nodiscard]] std::unique_ptr<Link> make_etcd_link(boost::asio::io_context& loop,
                                                   EtcdLinkOptions options,
                                                   Link::Handlers handlers);

}  // namespace dexlock
