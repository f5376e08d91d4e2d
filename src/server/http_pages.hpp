// A few pages over plain HTTP, each made when it is asked for: for scrapers and probes.
//
// Invariants:  one request a connection, of at most kHttpHeaderMax bytes and without a body. At
// most
//              kHttpConnectionsMax connections: one more ends the oldest. Who is slower than
//              kHttpLimit is cut off.
// Threads:     all on the thread that runs the event loop.
// Never does:  wait: a page may come later.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "dexlock/error.hpp"
#include "transport/socket_address.hpp"

namespace boost::asio {
class io_context;
}

namespace dexlock {

inline constexpr std::size_t kHttpConnectionsMax = 16;
inline constexpr std::size_t kHttpHeaderMax = 8 * 1024;
inline constexpr std::chrono::seconds kHttpLimit{5};  // for the request; again for the reply

struct HttpReply {
  unsigned status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};

class HttpPages {
 public:
  using Answer = std::function<void(HttpReply)>;
  using Pages = std::map<std::string, std::function<void(Answer)>, std::less<>>;  // by path

  // bad_config: the address cannot be used.
  static Result<std::unique_ptr<HttpPages>> open(boost::asio::io_context& loop,
                                                 const SocketAddress& address, Pages pages);
  HttpPages(const HttpPages&) = delete;
  HttpPages& operator=(const HttpPages&) = delete;
  virtual ~HttpPages() = default;

 protected:
  HttpPages() = default;
};

}  // namespace dexlock
