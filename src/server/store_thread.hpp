// The store on its own thread: takes all that waits for it, commits once, tells. While it waits for
// the disk the event loop collects.
//
// Invariants:  what is told of a request is durable. A connection that is gone keeps no watch, in
//              whatever order its requests and its end were put.
//              Its end leaves no promise of the store unsynced, if it can.
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
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "server/line_server.hpp"
#include "server/server_metrics.hpp"
#include "server/watches.hpp"
#include "store/embedded_acceptor.hpp"
#include "wire/request_line.hpp"

namespace dexlock {

using ConnectionId = std::uint64_t;

// What a connection wants from the store: its greeting, or an answer; or it is gone. The server
// itself wants to know whether the store is well, or a slice of the count of what is in it.
struct Greet {};
struct Gone {};
struct Probe {};
struct CountSlice {
  std::string after;
  std::size_t most = 0;
};
struct Job {
  ConnectionId connection = 0;
  std::variant<Greet, NumberedRequest, Gone, Probe, CountSlice> what;
};

// What the store's thread has for a connection.
struct Said {
  std::string text;
  std::size_t replies = 0;
  std::string news;  // of what it watches: not worth memory if it does not read
  bool end = false;
};

// What has become of a batch of jobs.
struct Done {
  std::map<ConnectionId, Said> said;
  RequestCounts requests;
  std::vector<EmbeddedAcceptor::Transaction> transactions;
  std::vector<std::string> log;  // lines, as wished for
  std::size_t watches = 0;
  std::optional<Result<void>> probed;
  std::optional<Result<EmbeddedAcceptor::Tally>> counted;
};

class StoreThread {
 public:
  struct Limits {
    std::size_t watches = 0;
    std::size_t watches_of_one = 0;
    std::size_t news_bytes = 0;  // of one connection in one batch; what comes on top is not told
  };
  struct Logs {
    bool changes = false;
    bool requests = false;
  };
  using Tell = std::function<void(Done)>;

  StoreThread(std::filesystem::path path, std::shared_ptr<EmbeddedStore> store,
              const Limits& limits, Logs logs, Tell tell);
  StoreThread(const StoreThread&) = delete;
  StoreThread& operator=(const StoreThread&) = delete;
  ~StoreThread();  // what has not begun is dropped

  void put(std::vector<Job> jobs);

 private:
  void run();
  Done answer(std::vector<Job>& jobs);
  void answer_requests(Done& done, const std::vector<NumberedRequest>& requests,
                       const std::vector<ConnectionId>& from);
  void keep_watch(ConnectionId connection, const NumberedRequest& request);
  void tell_watchers(Done& done, const std::vector<NumberedRequest>& requests);
  void on_transaction(EmbeddedAcceptor::Transaction transaction);
  Result<void> probe();

  std::filesystem::path path_;
  Limits limits_;
  Logs logs_;
  EmbeddedAcceptor acceptor_;  // with all down to failing_: touched by the thread only
  LineServer server_;
  Watches watches_;
  std::vector<EmbeddedAcceptor::Transaction> transactions_;  // of this batch
  bool failing_ = false;                                     // the last commit failed
  Tell tell_;
  std::mutex mutex_;
  std::condition_variable filled_;
  std::vector<Job> jobs_;  // with closed_: guarded by mutex_
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace dexlock
