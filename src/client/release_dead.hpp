// Sends the release that a client which is proven dead can send no more: of one token, and only if
// that client still holds it.
//
// Requires of the caller the proof that the client's process and everything that it has started are
// gone (process_proof.hpp, and the tree of a `run` by its control group). Without that two could
// work under one lock.
//
// Threads: the event loop's. Destroying it ends it; what was sent may still take effect, which is
// harmless.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "client/cluster.hpp"
#include "client/host_memory.hpp"
#include "client/lock_driver.hpp"

namespace dexlock {

class DeadRelease {
 public:
  // True: a majority has a record in which that client does not hold the lock with that token any
  // more. False: that is not known, or it cannot be written. Never from inside a call.
  using Done = std::function<void(bool)>;

  // Requires: the cluster's group is known. Goes on trying until it is done or no majority
  // answers.
  DeadRelease(boost::asio::io_context& loop, Cluster& cluster, std::string name,
              std::optional<SeenLock> seen, Done done);

  void release_dead(ClientId client, FencingToken token);

 private:
  LockDriver driver_;
};

}  // namespace dexlock
