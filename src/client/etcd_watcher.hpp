// Who watches which lock of an etcd cluster, by one stream of changes for all of them: it is opened
// when something is watched for longer than a moment, and again, at another endpoint, when it ends.
// The stream says what a record is now, which is told to those whom it concerns: see concerns().
// The lock is read, once for all who watch it, where that is not enough.
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
#include <optional>
#include <string>
#include <vector>

#include "client/etcd_calls.hpp"
#include "client/link.hpp"

namespace dexlock {

class EtcdWatcher {
 public:
  using Read = std::function<void(const Where&, const std::string& name, Link::ReplyHandler)>;
  // What is known of a lock between two times that it is read.
  struct Known {
    virtual ~Known() = default;
    // At which revision that was; 0: nothing is.
    [[nodiscard]] virtual std::int64_t revision(const std::string& name) const = 0;
    [[nodiscard]] virtual std::optional<Answer> state(const std::string& name) const = 0;
    // Who waited then, senior first.
    [[nodiscard]] virtual std::vector<Ticket> waiting(const std::string& name) const = 0;
    // The state with this record, which it has had since `revision`. Nothing: it has to be read.
    [[nodiscard]] virtual std::optional<Answer> learn(const Where& where, const std::string& name,
                                                      const std::string& value,
                                                      std::int64_t revision) = 0;
  };

  // `calls` must outlive it. `locks`: what stands before the name in the key of a record.
  EtcdWatcher(boost::asio::io_context& loop, EtcdCalls& calls, std::string locks, Read read,
              Known& known);
  ~EtcdWatcher();
  EtcdWatcher(const EtcdWatcher&) = delete;
  EtcdWatcher& operator=(const EtcdWatcher&) = delete;

  void watch(const Where& where, const std::string& name, const ClientId& client,
             Link::AnswerHandler handler);
  void unwatch(const std::string& name, const ClientId& client);
  // Somebody here has read that lock just now, and has to wait for it.
  void hurry(const std::string& name);
  // That endpoint has not answered.
  void left(std::size_t endpoint);

 private:
  struct Watched {
    Where where;
    std::map<ClientId, Link::AnswerHandler> clients;
    std::int64_t id = 0;                // 0: not on the stream yet
    std::int64_t from = 0;              // of which revision on changes are told; 0: it is read
    EtcdCalls::Clock::time_point left;  // since then nobody here has watched it, if nobody does
    bool reads = false;                 // under way
    bool changed = false;               // since that was asked for
    bool listed = false;                // one of them, when it was read last
  };

  void arm(std::chrono::milliseconds delay);
  void connect();
  void reopen(std::chrono::milliseconds delay);
  void watch_anew(Watched& watched, std::chrono::milliseconds delay);
  void sweep_later();
  void sweep();
  void on_news(const EtcdNews& news);
  // As on our own servers, the lock concerns whom it lists or listed, those who stand next in line,
  // those who look on without waiting, and everybody once it is free.
  [[nodiscard]] static bool lists_one_of(const Answer& answer, const Watched& watched);
  [[nodiscard]] bool concerns(const std::string& name, const Watched& watched,
                              const Answer& answer) const;
  void read(const std::string& name, Watched& watched);
  void on_read(const std::string& name, const Reply& reply);
  void tell(const std::string& name, const Answer& answer);
  void tell_one(const std::string& name, const ClientId& client, const Answer& answer);

  EtcdCalls& calls_;
  std::string locks_;
  Read read_;
  Known& known_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer sweep_timer_;
  bool armed_ = false;
  bool sweeps_ = false;
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
