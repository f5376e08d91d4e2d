// The members of a simulated etcd cluster and the ways to them: calls are lost, late, held while
// there is no leader, carried out behind the back of who has given up, or half carried out by a
// member that crashes. Behind all of them is one store (fake_etcd.hpp).
//
// Threads: none.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "sim/etcd_host.hpp"
#include "sim/fake_etcd.hpp"
#include "sim/network.hpp"

namespace dexlock::sim {

class EtcdCluster {
 public:
  explicit EtcdCluster(Surroundings& around);

  // From a client, for its lock.
  void send_request(const Packet& packet) { hosts_[packet.actor].request(packet); }
  void go_on(std::size_t actor) { hosts_[actor].go_on(); }

  // From a host: one call to one member. The handler is called once, or never.
  void transact(std::size_t host, std::size_t member, const EtcdTxn& txn,
                EtcdHandler<EtcdOutcome> handler, std::shared_ptr<const bool> given_up);
  void grant(std::size_t host, std::size_t member, std::int64_t id, std::int64_t length,
             EtcdHandler<std::int64_t> handler);

  // The process at `host` hears of changes of the record through `member`: late, of several at
  // once, or not at all, until it is told that the stream is over.
  void watch(std::size_t host, std::uint32_t process, std::size_t member);

  void later(Nanoseconds after, std::function<void()> what);
  void on_event(std::uint32_t slot);

  // Faults, and their end.
  void crash_member();
  void change_leader();
  void raise_alarm();
  void restore();        // from the snapshot that it takes the first time
  void remove_record();  // or the heartbeats, by an operator
  void heal();

  [[nodiscard]] FakeEtcd& etcd() { return etcd_; }

 private:
  // What happens at the member; false: it is no more there to answer.
  using Serve = std::function<bool(std::size_t member, bool answers)>;

  void arrive(std::size_t host, std::size_t member, const Serve& serve);
  void serve(std::size_t host, std::size_t member, const Serve& serve);
  template <class T>
  void answer(std::size_t host, std::size_t member, EtcdHandler<T> handler,
              std::expected<T, EtcdTrouble> what);
  template <class T>
  void send(std::size_t host, std::size_t member, const EtcdHandler<T>& handler,
            std::function<std::expected<T, EtcdTrouble>()> carry_out,
            std::shared_ptr<const bool> given_up);
  void elect(Nanoseconds within);
  [[nodiscard]] bool has_leader() const;
  void serve_held();
  void tell_watchers();
  void end_stream(std::size_t host);
  void say(const std::string& what);

  struct Watch {
    std::uint32_t process = 0;
    std::size_t member = 0;
  };
  struct Held {  // until there is a leader
    std::size_t host = 0;
    std::size_t member = 0;
    Serve serve;
  };

  Surroundings& around_;
  FakeEtcd etcd_;
  std::vector<EtcdHost> hosts_;
  std::vector<bool> up_;
  std::size_t leader_ = 0;
  Nanoseconds leader_from_{};
  Nanoseconds alarm_until_{};
  std::vector<Held> held_;
  std::map<std::size_t, Watch> watches_;  // by host
  std::int64_t removals_ = 0;
  std::int64_t told_of_ = 0;  // revision of the record
  std::vector<std::function<void()>> events_;
  std::vector<std::uint32_t> free_;
};

}  // namespace dexlock::sim
