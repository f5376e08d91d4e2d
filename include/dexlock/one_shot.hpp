// The calls behind init-lock, get-lock, release-lock and show-lock: each connects, does one thing,
// and keeps what its owner must know for the next call in a file of this user.
//
// Threads: any; each call blocks until it is done or its own deadline has passed.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dexlock/api.hpp"
#include "dexlock/error.hpp"
#include "dexlock/sharing.hpp"

namespace dexlock {

// Leaves ssh connections to a small process of this user between calls, the keeper, which a call
// starts where there is none.
struct KeeperUse {
  std::string program;  // dex-lock, by its path
  std::string version;  // a keeper of another version is not used
};

struct OneShotOptions {
  std::string name = "default";
  std::chrono::milliseconds timeout{30'000};  // lease: lost without a majority for that long
  std::chrono::milliseconds stop_timeout{0};  // waiters wait that much longer
  std::chrono::milliseconds step{1'000};      // time to the caller's next call
  Sharing sharing;                            // get-lock: alone, unless it says otherwise
  std::optional<std::string> owner;           // instead of the calling program
  std::optional<KeeperUse> keeper;            // get_lock, release_lock, show_lock: without, none
  bool new_group = false;                     // init-lock: forget which group the servers were
  // get_lock: between seeing that the lock can be had and asking for it; of several that wait, the
  // one with the shortest delay comes first. The call lasts that much longer.
  std::chrono::milliseconds delay{0};
  // get_lock: the longest call; without: three steps, but 5 s at least.
  std::optional<std::chrono::milliseconds> patience;
};

// What a call has to say besides its result; each one line. `warnings` are worth showing, `notes`
// only to those who ask.
struct Remarks {
  std::vector<std::string> warnings;
  std::vector<std::string> notes;
};

struct GetOutcome {
  bool held = false;
  std::uint64_t token = 0;           // fencing token, if held
  std::chrono::milliseconds left{};  // of the lease, if held
  std::string reason;                // why not, one line
  // Of the newest record that this call knows; for people.
  std::string holder;              // USER@HOST pid N COMMAND; empty: nobody
  std::uint64_t holder_token = 0;  // without a holder: of the latest grant
  std::uint32_t heartbeat = 0;     // the newest of that holder
  std::string departed;            // the latest that has it no more; empty: nobody
};

// One try, or one renewal if this owner holds the lock. Errors: bad_argument (also if it holds the
// lock in another way than it asks for), bad_config, no_quorum (and what is held can no longer be
// relied on), io.
DEXLOCK_API [[nodiscard]] Result<GetOutcome> get_lock(const OneShotOptions& options,
                                                      Remarks& remarks);

// Gives up what this owner holds or may hold. no_quorum: not confirmed by a majority.
DEXLOCK_API [[nodiscard]] Result<void> release_lock(const OneShotOptions& options,
                                                    Remarks& remarks);

// Checks configuration and servers, forms their group at first use, and forgets this owner's state.
// bad_config: must be corrected; no_quorum: no majority can be reached now.
DEXLOCK_API [[nodiscard]] Result<void> init_lock(const OneShotOptions& options, Remarks& remarks);

// Reads the configuration without asking any server; what it warns of, each one line. Errors:
// bad_config, io.
DEXLOCK_API [[nodiscard]] Result<std::vector<std::string>> check_configuration();

// What this owner and each server know of the lock, as text for people.
DEXLOCK_API [[nodiscard]] Result<std::string> show_lock(const OneShotOptions& options);

// Where this user's state on this machine lies; it belongs to this user alone.
DEXLOCK_API [[nodiscard]] Result<std::string> own_state_directory();

// On a lock server, before it serves: removes what crashes may have left in the store at `path`
// (or, if empty, at the configured place) and checks it. store_damaged: says what to do.
DEXLOCK_API [[nodiscard]] Result<std::string> check_lock_store(const std::string& path);

}  // namespace dexlock
