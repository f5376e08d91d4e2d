// A few pages over plain HTTP, each made when it is asked for: for scrapers, probes and browsers.
//
// Invariants:  one request a connection, of at most kHttpHeaderMax bytes and the body that is
//              allowed. At most so many connections: one more ends the oldest. Who is slower than
//              kHttpLimit is cut off.
// Threads:     all on the thread that runs the event loop.
// Never does:  wait: a page may come later.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dexlock/error.hpp"
#include "transport/socket_address.hpp"

namespace boost::asio {
class io_context;
}

namespace dexlock {

inline constexpr std::size_t kHttpConnectionsMax = 16;
inline constexpr std::size_t kHttpHeaderMax = 8 * 1024;
inline constexpr std::chrono::seconds kHttpLimit{5};  // for the request; again for the reply

// Every text comes from anywhere. A field that is not there is empty.
struct HttpRequest {
  std::string path;  // without what follows a question mark
  std::string host;  // empty as well where there are several
  std::string origin;
  std::string fetch_site;  // Sec-Fetch-Site
  std::string content_type;
  std::string body;
};

struct HttpReply {
  unsigned status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::vector<std::pair<std::string, std::string>> fields;  // besides those that all have
  std::string body;
};

class HttpPages {
 public:
  using Answer = std::function<void(HttpReply)>;
  using Make = std::function<void(const HttpRequest&, Answer)>;
  struct Page {
    Make on_get;  // what is missing is refused
    Make on_post;
  };
  using Pages = std::map<std::string, Page, std::less<>>;  // by path
  struct Options {
    std::size_t connections = kHttpConnectionsMax;
    std::size_t body_bytes = 0;
    // The answer to a request that is not wanted, whatever page it asks for.
    std::function<std::optional<HttpReply>(const HttpRequest&)> refuse;
  };

  // bad_config: the address cannot be used.
  static Result<std::unique_ptr<HttpPages>> open(boost::asio::io_context& loop,
                                                 const SocketAddress& address, Pages pages,
                                                 Options options);
  HttpPages(const HttpPages&) = delete;
  HttpPages& operator=(const HttpPages&) = delete;
  virtual ~HttpPages() = default;

 protected:
  HttpPages() = default;
};

}  // namespace dexlock
