// Connections that outlive the call that made them.
//
// Threads: one.
#pragma once

#include <optional>
#include <string>

#include "keeper/keeper_message.hpp"

namespace dexlock {

class ConnectionPool {
 public:
  ConnectionPool() = default;
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;
  virtual ~ConnectionPool() = default;

  // One that was kept under this very key, for this caller alone. Waits a moment at most.
  virtual std::optional<KeptConnection> take(const std::string& key) = 0;
  virtual void keep(const std::string& key, KeptConnection connection) = 0;
};

}  // namespace dexlock
