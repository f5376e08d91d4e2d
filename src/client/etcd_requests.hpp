// What is asked about locks on an etcd cluster: each request by an EtcdAcceptor of its own, until
// that has the reply.
//
// Heartbeats that are asked for at one moment go as one transaction, Posts of one client for one
// lock one after the other. All tickets share a lease of etcd while that is young.
//
// Threads: the event loop's. Handlers are called from the loop, never from inside a call, none
// after its end.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/etcd_calls.hpp"
#include "client/etcd_lease.hpp"
#include "client/etcd_trouble.hpp"
#include "client/etcd_watcher.hpp"
#include "client/link.hpp"
#include "etcd/etcd_acceptor.hpp"

namespace dexlock {

inline constexpr std::chrono::milliseconds kEtcdAskLimit{4500};  // below what a cluster waits

class EtcdRequests final : public EtcdWatcher::Known {
 public:
  struct Options {
    EtcdSaid said;
    std::string prefix;
    std::chrono::seconds idle{};
  };
  // The group as it was when the link was opened.
  struct Place {
    EtcdCompare group;
    std::uint64_t cluster = 0;
  };
  using Gone = std::function<void(const std::string& why)>;

  // `calls` must outlive it. `on_gone`: the group is not there any more.
  EtcdRequests(boost::asio::io_context& loop, EtcdCalls& calls, Options options, Gone on_gone);
  ~EtcdRequests() override;
  EtcdRequests(const EtcdRequests&) = delete;
  EtcdRequests& operator=(const EtcdRequests&) = delete;

  void set_place(Place place) { place_ = std::move(place); }
  void ask(const Where& where, const std::string& name, Request request,
           Link::ReplyHandler handler);
  std::function<void(const std::string& name)> on_queued;  // with a ticket for that lock

  [[nodiscard]] std::int64_t revision(const std::string& name) const override;
  [[nodiscard]] std::optional<Answer> state(const std::string& name) const override;
  [[nodiscard]] std::vector<Ticket> waiting(const std::string& name) const override;
  [[nodiscard]] std::optional<Answer> learn(const Where& where, const std::string& name,
                                            const std::string& value,
                                            std::int64_t revision) override;

 private:
  struct Work {
    EtcdAcceptor acceptor;
    Link::ReplyHandler handler;
    EtcdCalls::Clock::time_point until;
    std::string poster = {};  // of a Post: the next one may follow
    std::int64_t ticket_lease = 0;
  };
  // For tickets that need so many seconds. It has twice as many when it is made.
  struct TicketLease {
    std::int64_t id = 0;
    EtcdCalls::Clock::time_point made;
    std::vector<EtcdCalls::LeaseHandler> waiting;  // while it is being made
  };
  using WorkPtr = std::shared_ptr<Work>;
  struct Batch {
    std::vector<WorkPtr> works;
    EtcdTxn txn;
  };

  std::shared_ptr<EtcdMemory> memory_of(const std::string& name);
  void post(std::function<void()> what);
  void start(const WorkPtr& work) { advance(work, work->acceptor.start()); }
  void advance(const WorkPtr& work, EtcdAcceptor::Output output);
  void with_ticket_lease(std::int64_t seconds, EtcdCalls::Clock::time_point until,
                         EtcdCalls::LeaseHandler handler);
  [[nodiscard]] bool is_first_beat(const std::string& name, const Request& request) const;
  void send(const WorkPtr& work, const EtcdAcceptor::Output& output);
  void on_trouble(const WorkPtr& work, const EtcdAcceptor::Output& output, const IdleLease& idle,
                  const EtcdTrouble& trouble);
  void fail(const WorkPtr& work, const EtcdTrouble& trouble);
  void finish(const WorkPtr& work, Reply reply);
  void send_beats();
  void send(Batch batch);
  void on_beaten(const std::vector<WorkPtr>& works, const EtcdCalls::Outcome& outcome);

  boost::asio::io_context& loop_;
  EtcdCalls& calls_;
  Options options_;
  Gone on_gone_;
  Place place_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::map<std::string, std::shared_ptr<EtcdMemory>> memories_;
  std::map<std::int64_t, TicketLease> ticket_leases_;  // by seconds
  boost::asio::steady_timer first_beats_;
  std::vector<WorkPtr> beats_;                        // asked for at this moment
  std::map<std::string, std::deque<WorkPtr>> posts_;  // by lock and client; the first is under way
};

}  // namespace dexlock
