// A place of a test's own for real locks, kept by native lock servers on a thread of this process:
// they tell of changes.
#pragma once

#include <stdlib.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "scratch_directory.hpp"
#include "server/lock_server.hpp"

namespace dexlock {

class ServedPlace {
 public:
  explicit ServedPlace(int servers = 3) : loop_(1) {
    std::string list;
    for (int number = 1; number <= servers; ++number) {
      const std::string name = scratch_.path() / ("server" + std::to_string(number));
      const std::string address = "unix:" + name + ".socket";
      LockServerOptions options{.store = name, .version = "test"};
      const auto parsed = parse_socket_address(address);
      EXPECT_TRUE(parsed) << parsed.error().text;
      options.listen.push_back(*parsed);
      auto server = LockServer::open(loop_, std::move(options));
      EXPECT_TRUE(server) << server.error().text;
      servers_.push_back(std::move(*server));
      list += address + '\n';
    }
    const auto file = scratch_.write("conf/lock_servers", list);
    ::setenv("DEXLOCK_CONF", file.parent_path().c_str(), 1);
    ::setenv("DEXLOCK_STATE", (scratch_.path() / "state").c_str(), 1);
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~ServedPlace() {
    loop_.stop();
    thread_.join();
    ::unsetenv("DEXLOCK_CONF");
    ::unsetenv("DEXLOCK_STATE");
  }
  ServedPlace(const ServedPlace&) = delete;
  ServedPlace& operator=(const ServedPlace&) = delete;

 private:
  ScratchDirectory scratch_;
  boost::asio::io_context loop_;
  std::vector<std::unique_ptr<LockServer>> servers_;
  std::thread thread_;
};

}  // namespace dexlock
