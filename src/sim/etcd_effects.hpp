// What a change of etcd's keys means to the lock: the judges hear of it as they hear of what a lock
// server does. The cluster is the only acceptor of its group, so what is written there is chosen.
//
// Threads: none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sim/surroundings.hpp"

namespace dexlock::sim {

class EtcdEffects {
 public:
  explicit EtcdEffects(Surroundings& around) : around_(around) {}

  // `before` is empty where there was none.
  void on_put(std::string_view key, const std::string& before, const std::string& value,
              std::int64_t revision);
  void on_removed(std::string_view key, const std::string& value);

 private:
  void on_record(const std::string& before, const std::string& text, std::int64_t revision);
  void on_made(std::int64_t revision);
  void on_beat(std::string_view text);
  void on_ticket(const std::string& text, bool removed);

  Surroundings& around_;
  Record value_;  // as written last, or where the record begins
  std::uint64_t mark_ = 0;
};

}  // namespace dexlock::sim
