// Keeps this process connected to its lock servers.
//
// All leases and observers of a process that have the same servers share one thread and one
// connection to each, for as long as any of them lives. While a Client lives these stay also when
// none does, so that the next lock need not wait for a connection.
//
// Threads: any.
#pragma once

#include <memory>
#include <utility>

#include "dexlock/api.hpp"
#include "dexlock/error.hpp"

namespace dexlock {

class DEXLOCK_API Client {
 public:
  // Begins to connect and returns at once. Errors: bad_config, io.
  [[nodiscard]] static Result<Client> connect();

 private:
  explicit Client(std::shared_ptr<void> connections) : connections_(std::move(connections)) {}

  std::shared_ptr<void> connections_;
};

}  // namespace dexlock
