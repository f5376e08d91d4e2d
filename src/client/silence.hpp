// Since when this host has seen no sign of life from the holders of one lock: by what its calls
// remember, and by what servers show now. It is told to people; whoever wants the lock proves it
// anew on a majority (Session).
//
// Threads: one.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/host_memory.hpp"
#include "lease/observer.hpp"
#include "register/message.hpp"

namespace dexlock {

// The latest change that any server has shown counts.
[[nodiscard]] std::optional<std::chrono::milliseconds> unchanged_for(const Observer& observer,
                                                                     Instant now);

class Silence {
 public:
  // `incarnations`: of the configured servers; empty where it is not known now.
  Silence(std::optional<SeenLock> before, std::string group, std::vector<std::string> incarnations);

  // `at`: when it was received.
  void saw(std::size_t server, const State& state, Instant at);

  [[nodiscard]] std::optional<std::chrono::milliseconds> unchanged(const Holder& holder,
                                                                   Instant now) const;
  // A majority has shown no change for so long that its lease is over.
  [[nodiscard]] bool has_lapsed(const Holder& holder, Instant now) const;

  // What is to be remembered; nothing if there is nothing new.
  [[nodiscard]] std::optional<SeenLock> news() const;

 private:
  [[nodiscard]] const Observer* find(const Holder& holder) const;

  std::vector<std::string> incarnations_;
  SeenLock before_;
  std::map<GrantId, Observer> observers_;
};

}  // namespace dexlock
