// One run of a forming world: stores without a group, clients that list them, the faults that the
// mix asks for, then a healed world in which every client must be able to use its list, or must
// have said why not.
//
// Threads: none.      Never does: I/O, read a real clock. The same seed gives the same run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/forming_around.hpp"
#include "sim/forming_client.hpp"
#include "sim/forming_server.hpp"
#include "sim/run_report.hpp"

namespace dexlock::sim {

class FormingWorld {
 public:
  FormingWorld(const FormingMix& mix, std::uint64_t seed, Plant plant, bool tracing);

  [[nodiscard]] RunReport run();

 private:
  // What must come of a client's list as the stores are now.
  enum class Due { served, refused, reported, open };

  void repeat(Nanoseconds mean, void (FormingWorld::*strike)());
  void wipe();
  void crash();
  void kill();
  void heal();
  [[nodiscard]] Due due(const FormingClient& client) const;
  [[nodiscard]] bool settled(const FormingClient& client) const;
  void judge_end();

  FormingMix mix_;
  FormingAround around_;
  std::vector<std::unique_ptr<FormingServer>> servers_;
  std::vector<std::unique_ptr<FormingClient>> clients_;
};

}  // namespace dexlock::sim
