// Who watches which lock of an etcd cluster, by one stream of changes for all of them: it is opened
// when something is watched for longer than a moment, and again, at another endpoint, when it ends.
// The stream says that a record has changed; then it is read, once for all who watch it, and not at
// all if the change concerns none of them: see concerns().
//
// Invariants:  while a lock is watched and an endpoint can be reached, its state is told after each
//              change of its record that may concern who watches, and after whatever may have been
//              missed.
// Threads: the event loop's. Handlers are called from the loop, none after its end.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/etcd_calls.hpp"
#include "client/link.hpp"

namespace dexlock {

class EtcdWatcher {
 public:
  using Read = std::function<void(const Where&, const std::string& name, Link::ReplyHandler)>;
  // Who waited for a lock when it was read last, senior first.
  using Waiting = std::function<std::vector<Ticket>(const std::string& name)>;

  // `calls` must outlive it. `locks`: what stands before the name in the key of a record.
  EtcdWatcher(boost::asio::io_context& loop, EtcdCalls& calls, std::string locks, Read read,
              Waiting waiting);
  ~EtcdWatcher();
  EtcdWatcher(const EtcdWatcher&) = delete;
  EtcdWatcher& operator=(const EtcdWatcher&) = delete;

  void watch(const Where& where, const std::string& name, const ClientId& client,
             Link::AnswerHandler handler);
  void unwatch(const std::string& name, const ClientId& client);
  // That endpoint has not answered.
  void left(std::size_t endpoint);

 private:
  struct Watched {
    Where where;
    std::map<ClientId, Link::AnswerHandler> clients;
    std::int64_t id = 0;   // 0: not on the stream yet
    bool reads = false;    // under way
    bool changed = false;  // since that was asked for
    bool listed = false;   // one of them, when it was read last
  };

  void arm(std::chrono::milliseconds delay);
  void connect();
  void reopen(std::chrono::milliseconds delay);
  void on_news(const EtcdNews& news);
  // As on our own servers, the lock concerns whom it lists or listed, those who stand next in line,
  // those who look on without waiting, and everybody once it is free.
  [[nodiscard]] bool concerns(const std::string& name, const Watched& watched,
                              const std::string& value) const;
  void read(const std::string& name, Watched& watched);
  void tell(const std::string& name, const Reply& reply);

  EtcdCalls& calls_;
  std::string locks_;
  Read read_;
  Waiting waiting_;
  boost::asio::steady_timer timer_;
  bool armed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<EtcdStream> stream_;
  std::size_t endpoint_ = 0;      // of the stream
  std::uint64_t generation_ = 0;  // what older streams tell is passed over
  std::uint32_t failures_ = 0;    // in a row
  std::int64_t next_id_ = 1;
  std::map<std::string, Watched> watched_;     // by name
  std::map<std::int64_t, std::string> names_;  // by id
};

}  // namespace dexlock
