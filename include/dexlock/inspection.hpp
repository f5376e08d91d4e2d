// Looks at the lock servers and at what they know of the locks. Takes no part in anything: it forms
// no group, changes no lock, and needs no majority to tell what it sees. (A store that is missing
// is made, as by every call.) What it sees of holders is remembered for later calls of this host.
//
// A server that does not answer is given up after a limit, and told as such.
//
// Threads: an Inspector is used by one thread at a time; stop() any.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dexlock/api.hpp"
#include "dexlock/error.hpp"
#include "dexlock/sharing.hpp"

namespace dexlock {

struct ServerSight {
  std::string name;        // as in lock_servers
  bool reachable = false;  // it has greeted, and answers
  bool votes = false;      // it is an active member of the group
  std::string trouble;     // one line, or empty
  // What it said of itself; empty where it did not.
  std::string format;  // files | lmdb
  std::string sync;    // how it makes things durable
  std::string directory;
  std::string incarnation;
  std::string boot;
  std::string group;
  std::uint64_t epoch = 0;
  std::vector<std::string> members;                  // incarnations
  std::optional<std::chrono::nanoseconds> greeting;  // from connecting until it had greeted
  std::optional<std::chrono::nanoseconds> answer;    // of one ping
  std::optional<std::uint64_t> free_bytes;           // where the store is
  std::optional<std::uint64_t> bytes;
  std::optional<std::uint64_t> free_inodes;
  std::optional<std::uint64_t> inodes;
};

struct DEXLOCK_API ServersSight {
  std::string config;       // the directory it was read from; empty: none, this machine's own store
  std::string group;        // empty: none yet, or none that can be used
  std::uint64_t epoch = 0;  // 0: no server tells
  std::size_t majority = 0;           // so many votes are needed
  std::vector<ServerSight> servers;   // in the order of lock_servers
  std::vector<std::string> problems;  // of the group, each one line
  bool usable = true;                 // false: a problem forbids this list of servers

  [[nodiscard]] std::size_t reachable() const;
  [[nodiscard]] std::size_t voting() const;  // reachable ones with a vote
  // Locks can be taken now, also if that would form the group first.
  [[nodiscard]] bool has_majority() const;
  // The same as one line: what is there, and if it is too little, what to do.
  [[nodiscard]] std::string verdict() const;
};

struct DEXLOCK_API HolderSight {
  std::uint64_t token = 0;
  std::string who;  // any bytes
  Sharing sharing;
  std::chrono::milliseconds timeout{};
  std::chrono::milliseconds stop_timeout{};
  std::optional<std::uint32_t> heartbeat;                  // the newest that any server shows
  std::optional<std::chrono::milliseconds> heartbeat_age;  // known of holders on this machine
  std::optional<std::chrono::milliseconds> unchanged;      // so long this host has seen no new one
  bool lapsed = false;  // its lease is over, by what is seen here: whoever asks may take it over

  // The same in words; empty: it has not lapsed.
  [[nodiscard]] std::string lapse() const;
};

struct WaiterSight {
  std::uint32_t number = 0;  // its place: lower ones come first
  std::string who;           // any bytes
  Sharing sharing;
};

struct LastHolderSight {
  std::uint64_t token = 0;
  std::string who;  // any bytes
  std::string how;  // released | expired | broken
};

// The newest record that any server with a vote shows.
struct LockSight {
  std::string name;
  std::uint64_t last_token = 0;  // of the latest grant; 0: never granted
  std::string closed;            // nothing is granted, because of this; or empty
  std::vector<HolderSight> holders;
  std::vector<WaiterSight> waiters;  // of all servers
  std::optional<LastHolderSight> last;
  std::optional<std::string> value;  // stored with the lock; any bytes
  std::uint64_t value_token = 0;
  std::size_t shown_by = 0;  // so many servers show this very record

  [[nodiscard]] bool is_held() const { return !holders.empty(); }
};

// What one server shows of one lock.
struct LockOnServer {
  std::string trouble;  // why it shows nothing; or empty
  std::optional<LockSight> lock;
};

struct LocksSight {
  ServersSight servers;
  std::vector<LockSight> locks;  // by name
  std::vector<std::string> troubles;
};

struct OneLockSight {
  ServersSight servers;
  LockSight lock;                       // by the newest record
  std::vector<LockOnServer> on_server;  // as servers.servers
};

// From when to when somebody had a lock. Times are ms since 1970 by the servers' wall clocks: for
// people, not for decisions.
struct HoldSight {
  std::uint64_t token = 0;
  std::string who;  // any bytes
  std::optional<std::chrono::milliseconds> from;
  std::optional<std::chrono::milliseconds> to;
  std::string how;  // holding | released | expired | broken | ended (nobody knows how)
};

struct HistorySight {
  ServersSight servers;
  std::vector<HoldSight> holds;       // the newest token first
  std::vector<std::string> troubles;  // servers that keep none, or did not answer
};

// What one owner of one-shot calls on this machine believes of a lock.
struct OwnHoldSight {
  std::string owner;                 // for people
  std::uint64_t token = 0;           // 0: it holds nothing
  std::chrono::milliseconds left{};  // of the lease
  bool unconfirmed = false;          // a grant or a release of its may not have arrived
};

// Nothing: no program can be the owner. `owner`: instead of the calling program. Errors:
// bad_argument, bad_config, io.
DEXLOCK_API [[nodiscard]] Result<std::optional<OwnHoldSight>> own_hold(
    const std::string& name, const std::optional<std::string>& owner);

struct InspectorOptions {
  std::chrono::milliseconds patience{10'000};  // for the greeting of each server, and each answer
  // To look again and again: whoever has not greeted within a moment is not waited for, and shown
  // as not reachable until it has.
  bool live = false;
};

class DEXLOCK_API Inspector {
 public:
  // Errors: bad_config, io.
  [[nodiscard]] static Result<std::unique_ptr<Inspector>> open(const InspectorOptions& options);

  virtual ~Inspector() = default;

  // Each connects first to the servers that are not connected.
  [[nodiscard]] virtual ServersSight servers() = 0;
  // Locks whose names match the shell pattern, which * and ? and [...] may stand in; a * matches
  // slashes as well. bad_argument: it is empty.
  [[nodiscard]] virtual Result<LocksSight> locks(const std::string& pattern) = 0;
  // bad_argument: it is no name.
  [[nodiscard]] virtual Result<OneLockSight> lock(const std::string& name) = 0;
  [[nodiscard]] virtual Result<HistorySight> history(const std::string& name) = 0;

  // Lets time pass, in which connections go on being made.
  virtual void wait(std::chrono::milliseconds length) = 0;
  // Ends what goes on, and all that is asked later, at once.
  virtual void stop() = 0;
};

}  // namespace dexlock
