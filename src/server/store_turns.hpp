// What the connections of a server want from its store, a turn at a time: all that waits is done,
// committed once, and told.
//
// Invariants:  what is told of a request is durable. A connection that is gone keeps no watch, in
//              whatever order its requests and its end came.
//              Its end leaves no promise of the store unsynced, if it can.
// Threads:     one. A turn lasts as long as the disk does, or until the store gives up waiting for
//              another process that writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
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

// What a turn has for a connection.
struct Said {
  std::string text;
  std::size_t replies = 0;
  std::string news;  // of what it watches: not worth memory if it does not read
  bool end = false;
};

// What has become of the jobs of a turn.
struct Done {
  std::map<ConnectionId, Said> said;
  RequestCounts requests;
  std::vector<EmbeddedAcceptor::Transaction> transactions;
  std::vector<std::string> log;  // lines, as wished for
  std::size_t watches = 0;
  std::optional<Result<void>> probed;
  std::optional<Result<EmbeddedAcceptor::Tally>> counted;
};

void count(const Done& done, ServerMetrics& metrics);

class StoreTurns {
 public:
  struct Limits {
    std::size_t watches = 0;
    std::size_t watches_of_one = 0;
    std::size_t news_bytes = 0;  // of one connection in one turn; what comes on top is not told
  };
  struct Logs {
    bool changes = false;
    bool requests = false;
  };

  StoreTurns(std::filesystem::path path, std::shared_ptr<EmbeddedStore> store, const Limits& limits,
             Logs logs);
  StoreTurns(const StoreTurns&) = delete;
  StoreTurns& operator=(const StoreTurns&) = delete;
  ~StoreTurns();

  [[nodiscard]] Done take(std::vector<Job> jobs);

 private:
  void answer_requests(Done& done, const std::vector<NumberedRequest>& requests,
                       const std::vector<ConnectionId>& from);
  void keep_watch(ConnectionId connection, const NumberedRequest& request);
  void tell_watchers(Done& done, const std::vector<NumberedRequest>& requests);
  void on_transaction(EmbeddedAcceptor::Transaction transaction);
  Result<void> probe();

  std::filesystem::path path_;
  Limits limits_;
  Logs logs_;
  EmbeddedAcceptor acceptor_;
  LineServer server_;
  Watches watches_;
  std::vector<EmbeddedAcceptor::Transaction> transactions_;  // of this turn
  bool failing_ = false;                                     // the last commit failed
};

}  // namespace dexlock
