// One client host's way to a simulated etcd: it does for EtcdAcceptor what the commands' link does.
// One try at one endpoint with a limit, then another endpoint; what only reads is asked again, a
// change never; an outcome that is not known is told as that; tickets of one client go one after
// the other.
//
// Invariants:  a process that was killed sends and hears nothing any more, one that is paused
//              neither until it goes on.
// Threads:     none.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "etcd/etcd_acceptor.hpp"
#include "sim/network.hpp"
#include "sim/surroundings.hpp"

namespace dexlock::sim {

class EtcdCluster;

class EtcdHost {
 public:
  EtcdHost(std::size_t index, Surroundings& around, EtcdCluster& cluster)
      : index_(index), around_(around), cluster_(cluster) {}

  void request(const Packet& packet);
  // Something has changed, or was missed: it looks, and tells its process what it sees.
  void on_news(std::uint32_t process);
  // What it watched it hears of no more: from now on it watches at another endpoint.
  void on_stream_over(std::uint32_t process);
  void go_on();

 private:
  using Outcome = std::expected<EtcdOutcome, EtcdTrouble>;
  using OutcomeHandler = std::function<void(const Outcome&)>;
  struct Work;
  using WorkPtr = std::shared_ptr<Work>;
  struct Link {  // of one process
    std::uint32_t process = 0;
    std::shared_ptr<EtcdMemory> memory = std::make_shared<EtcdMemory>();
    std::size_t endpoint = 0;
    std::map<std::string, std::deque<WorkPtr>> posts;  // by client; the first is under way
    bool watches = false;
    bool gone = false;  // another cluster, or an older one: it serves no more
  };
  struct Work {
    EtcdAcceptor acceptor;
    Packet packet;
    std::shared_ptr<Link> link;
    Nanoseconds until{};
    std::int64_t lease = 0;
    bool outdated = false;  // for the judge: by the latest answer the cluster was set back
  };

  [[nodiscard]] WorkPtr work_for(const Packet& packet);
  void begin(const WorkPtr& work);
  void start(const WorkPtr& work);
  void start_next_post(const WorkPtr& done);
  void advance(const WorkPtr& work, EtcdAcceptor::Output output);
  void send(const WorkPtr& work, const EtcdAcceptor::Output& output);
  void send_beat(const WorkPtr& work, EtcdTxn txn);
  void fail(const WorkPtr& work, const EtcdTrouble& trouble);
  void finish(const WorkPtr& work, Reply reply);
  void transact(const WorkPtr& work, const EtcdTxn& txn, OutcomeHandler handler);
  void call(const WorkPtr& work, const EtcdTxn& txn, OutcomeHandler handler);
  void grant(const WorkPtr& work, std::int64_t id, std::int64_t length,
             std::function<void(std::int64_t)> handler);
  void reply(const WorkPtr& work, Reply reply);
  void count(Verdict verdict);
  void later(const WorkPtr& work, std::function<void()> what);
  [[nodiscard]] Outcome checked(Work& work, const EtcdOutcome& outcome, std::int64_t floor,
                                bool restored);
  void next_endpoint(Link& link, std::size_t asked) const;
  void note_revision(Work& work, std::int64_t revision, bool restored);

  // Calls `what` unless the process has ended, and when it is not paused.
  void hear(const WorkPtr& work, std::function<void()> what);
  // The same for what comes of one call: it is heard once, or after `limit` said to be unknown.
  template <class T>
  EtcdHandler<T> once(const WorkPtr& work, const std::shared_ptr<bool>& over,
                      std::function<void(const std::expected<T, EtcdTrouble>&)> handler);

  // etcd_plants.cpp: what is done wrong where an error is planted
  void transact_wrongly(const WorkPtr& work, const EtcdTxn& txn, OutcomeHandler handler);
  [[nodiscard]] EtcdTxn spoilt(const EtcdTxn& txn) const;

  std::size_t index_;
  Surroundings& around_;
  EtcdCluster& cluster_;
  std::shared_ptr<Link> link_;
  std::vector<std::function<void()>> inbox_;  // while paused
  std::int64_t told_ = 0;                     // the highest revision, of any process
  std::int64_t seen_ = 0;                     // the same for the judge: before any restore
};

}  // namespace dexlock::sim
