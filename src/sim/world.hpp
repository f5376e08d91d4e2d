// One simulated run: a cluster, its clients, the faults that its mix asks for, then a healed world
// in which everybody must get the lock once more within a bound.
//
// Threads: none.      Never does: I/O, read a real clock. The same seed gives the same run.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/actor.hpp"
#include "sim/etcd_cluster.hpp"
#include "sim/fake_server.hpp"
#include "sim/network.hpp"
#include "sim/run_report.hpp"
#include "sim/surroundings.hpp"

namespace dexlock::sim {

class World {
 public:
  World(const Mix& mix, std::uint64_t seed, Plant plant, bool tracing);

  [[nodiscard]] RunReport run();

 private:
  enum class FaultKind : std::uint32_t {
    cut,
    machine_crash,
    process_restart,
    full,
    kill,
    pause,
    reboot,
    suspend,
    slew,
    restore,
    remove,
    count
  };

  void handle(const SimEvent& event);
  void check_standstill();
  void deliver(std::uint32_t slot);
  void serve(const Packet& packet);
  void push(const Packet& packet, const Reply& reply, Nanoseconds took);

  void plan(FaultKind kind);
  [[nodiscard]] Nanoseconds every(FaultKind kind) const;
  void strike(FaultKind kind);
  void cut_somewhere();
  void crash_server(bool machine);
  void fill_disk();
  void strike_server(FaultKind kind);
  void strike_etcd(FaultKind kind);
  void pause_somebody();
  void repair_later(Nanoseconds longest, std::function<void()> repair);
  void heal();
  [[nodiscard]] bool all_satisfied() const;
  [[nodiscard]] Nanoseconds progress_bound() const;
  [[nodiscard]] std::string stuck_text() const;
  [[nodiscard]] std::string everybody_text() const;
  [[nodiscard]] Actor& any_actor();

  Mix mix_;
  Surroundings around_;
  Network network_;
  std::vector<std::unique_ptr<FakeServer>> servers_;  // or none but
  std::unique_ptr<EtcdCluster> etcd_;
  std::map<std::size_t, std::map<std::uint32_t, Packet>> watches_;  // by server and actor
  std::vector<std::unique_ptr<Actor>> actors_;
  std::vector<std::function<void()>> repairs_;  // empty once done
  Nanoseconds moment_{};                        // of the latest event
  std::uint32_t at_this_moment_ = 0;            // events so far
};

}  // namespace dexlock::sim
