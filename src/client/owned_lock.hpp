// What a call that acts for an owner needs before it may talk to a server; it has the owner's turn.
//
// Threads: one.
#pragma once

#include <chrono>
#include <string>

#include "client/client_context.hpp"
#include "client/owner.hpp"
#include "client/owner_state.hpp"
#include "dexlock/one_shot.hpp"

namespace dexlock {

struct OwnedLock {
  std::string name;
  ClientContext context;
  OwnerIdentity owner;
  OwnerState state;
  Saved saved;

  // store_busy: another call of this owner has the turn for all of `turn_limit`.
  [[nodiscard]] static Result<OwnedLock> open(const OneShotOptions& options,
                                              std::chrono::milliseconds turn_limit);
  [[nodiscard]] std::string who() const;
};

}  // namespace dexlock
