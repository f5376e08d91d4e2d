// What is asked of an etcd cluster, without what carries it: the border between this program and
// the plugin.
//
// One call is one try at one endpoint: nothing is sent twice. A call that failed as `unknown` may
// have had its effect, or may have it later; only reading tells.
//
// Threads: calls from one thread; handlers on a thread of the service. Destruction waits for all
// handlers.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dexlock {

struct EtcdKeyValue {
  std::string key;
  std::string value;
  std::int64_t mod_revision = 0;
  std::int64_t create_revision = 0;
};

// [key, end); no end: the key alone.
struct EtcdRange {
  std::string key;
  std::string end = {};
  std::int64_t limit = 0;
  bool keys_only = false;
};

// The key was last changed at this revision (0: it is absent). With an end: no key of the range was
// changed after it. Or: the key is there.
struct EtcdCompare {
  std::string key;
  std::string end = {};
  std::int64_t revision = 0;
  bool present = false;
};

// With what a key ends by itself. For each a lease is needed before the put.
enum class EtcdTerm { never, ticket, idle };

struct EtcdPut {
  std::string key;
  std::string value;
  EtcdTerm term = EtcdTerm::never;
  std::int64_t lease = 0;
};

// [key, end); no end: the key alone.
struct EtcdDelete {
  std::string key;
  std::string end = {};
  friend bool operator==(const EtcdDelete&, const EtcdDelete&) = default;
};

// All compares hold: the changes, then the ranges. Else: only the ranges, or `else_ranges` instead
// of them. One revision sees all. Every member works through what is done, but through no more.
struct EtcdTxn {
  std::vector<EtcdCompare> compares;
  std::vector<EtcdPut> puts;
  std::vector<EtcdDelete> deletes;
  std::vector<EtcdRange> ranges;
  std::vector<EtcdRange> else_ranges = {};

  [[nodiscard]] bool reads() const { return puts.empty() && deletes.empty(); }
};

struct EtcdOutcome {
  bool succeeded = false;
  std::uint64_t cluster = 0;
  std::int64_t revision = 0;
  std::vector<std::vector<EtcdKeyValue>> ranges;
};

struct EtcdTrouble {
  enum class Kind {
    unknown,     // no answer: unreachable, too late, no leader, a leader that went
    untrusted,   // no connection: its certificate; nothing was done
    denied,      // not permitted; nothing was done
    signed_out,  // the session of the user has ended; nothing was done
    full,        // out of space; it may have been done all the same
    refused,     // not understood; nothing was done
    no_lease,    // the lease of a put has ended; nothing was done
    went_back,   // it knows less than it has told before
    stranger,    // it is of another cluster
  };
  Kind kind = Kind::unknown;
  std::string text;
};

// What a stream of changes tells. Any number of changes may be told as one.
struct EtcdNews {
  enum class Kind {
    watching,  // from now on: who wants to know what was before reads
    changed,
    missed,  // no longer watched: what has changed was forgotten meanwhile (compaction)
    over,    // the stream has ended, and nothing more comes of it
  };
  Kind kind = Kind::over;
  std::int64_t watch = 0;
  std::string value = {};     // of a key that has changed; empty: it was removed
  std::int64_t revision = 0;  // of that change
  std::uint64_t cluster = 0;
};

// Keys that are watched through one endpoint. Its end waits for nothing.
class EtcdStream {
 public:
  EtcdStream() = default;
  EtcdStream(const EtcdStream&) = delete;
  EtcdStream& operator=(const EtcdStream&) = delete;
  virtual ~EtcdStream() = default;

  // `id`: new, above 0. `from`: of the changes at this revision and after it; 0: from now on.
  virtual void watch(std::int64_t id, const std::string& key, std::int64_t from) = 0;
  virtual void unwatch(std::int64_t id) = 0;
};

// What an endpoint says of itself.
struct EtcdStatus {
  std::string version;
  std::int64_t bytes = 0;
  std::vector<std::string> alarms;
  std::uint64_t cluster = 0;
};

template <class T>
using EtcdHandler = std::function<void(std::expected<T, EtcdTrouble>)>;

class EtcdService {
 public:
  struct Options {
    std::vector<std::string> endpoints;  // HOST:PORT
    bool tls = false;
    std::string authority, certificate, key;  // PEM
  };

  EtcdService() = default;
  EtcdService(const EtcdService&) = delete;
  EtcdService& operator=(const EtcdService&) = delete;
  virtual ~EtcdService() = default;

  virtual void transact(std::size_t endpoint, const EtcdTxn& txn, std::chrono::milliseconds limit,
                        EtcdHandler<EtcdOutcome> handler) = 0;
  // A lease that ends after `seconds`: the one of that id, which may be there already; 0: a new
  // one.
  virtual void grant(std::size_t endpoint, std::int64_t id, std::int64_t seconds,
                     std::chrono::milliseconds limit, EtcdHandler<std::int64_t> handler) = 0;
  // From then on all calls are this user's.
  virtual void sign_in(std::size_t endpoint, const std::string& user, const std::string& password,
                       std::chrono::milliseconds limit, EtcdHandler<bool> handler) = 0;
  virtual void status(std::size_t endpoint, std::chrono::milliseconds limit,
                      EtcdHandler<EtcdStatus> handler) = 0;
  // Requires: ends before the service does.
  [[nodiscard]] virtual std::unique_ptr<EtcdStream> open_stream(
      std::size_t endpoint, std::function<void(EtcdNews)> handler) = 0;
};

// The plugin's own function, by this name.
inline constexpr const char* kEtcdPluginMake = "dexlock_etcd_make";
using EtcdMakeFunction = EtcdService* (*)(const EtcdService::Options*);

}  // namespace dexlock
