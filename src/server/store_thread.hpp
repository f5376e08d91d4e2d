// The store on its own thread: takes all that waits for it, commits once, tells. While it waits for
// the disk the event loop collects.
//
// Invariants:  what is told of a request is durable. A connection that is gone keeps no watch, in
//              whatever order its requests and its end were put.
// Threads:     put() any; `tell` is called on the store's thread, never after the end of
// ~StoreThread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "server/line_server.hpp"
#include "server/watches.hpp"
#include "store/embedded_acceptor.hpp"
#include "wire/request_line.hpp"

namespace dexlock {

using ConnectionId = std::uint64_t;

// What a connection wants from the store: its greeting, or an answer; or it is gone.
struct Greet {};
struct Gone {};
struct Job {
  ConnectionId connection = 0;
  std::variant<Greet, NumberedRequest, Gone> what;
};

// What the store's thread has for a connection.
struct Said {
  std::string text;
  std::size_t replies = 0;
  std::string news;  // of what it watches: not worth memory if it does not read
  bool end = false;
};
using AllSaid = std::map<ConnectionId, Said>;

class StoreThread {
 public:
  struct Limits {
    std::size_t watches = 0;
    std::size_t watches_of_one = 0;
    std::size_t news_bytes = 0;  // of one connection in one batch; what comes on top is not told
  };
  using Tell = std::function<void(AllSaid)>;

  StoreThread(std::filesystem::path path, std::shared_ptr<EmbeddedStore> store,
              const Limits& limits, Tell tell);
  StoreThread(const StoreThread&) = delete;
  StoreThread& operator=(const StoreThread&) = delete;
  ~StoreThread();  // what has not begun is dropped

  void put(std::vector<Job> jobs);

 private:
  void run();
  AllSaid answer(std::vector<Job>& jobs);
  void keep_watch(ConnectionId connection, const NumberedRequest& request);
  void tell_watchers(AllSaid& all, const std::vector<NumberedRequest>& requests);

  std::filesystem::path path_;
  EmbeddedAcceptor acceptor_;  // with server_ and watches_: touched by the thread only
  LineServer server_;
  Limits limits_;
  Watches watches_;
  Tell tell_;
  std::mutex mutex_;
  std::condition_variable filled_;
  std::vector<Job> jobs_;  // with closed_: guarded by mutex_
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace dexlock
