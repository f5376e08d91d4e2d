// What is asked of an etcd cluster, without the library that carries it: the border between this
// program and the plugin with gRPC.
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
#include <string>
#include <vector>

namespace dexlock {

struct EtcdKeyValue {
  std::string key;
  std::string value;
  std::int64_t mod_revision = 0;
};

// [key, end); no end: the key alone.
struct EtcdRange {
  std::string key;
  std::string end = {};
  std::int64_t limit = 0;
  bool keys_only = false;
};

// The key was last changed at this revision (0: it is absent). With an end: no key of the range was
// changed after it.
struct EtcdCompare {
  std::string key;
  std::string end = {};
  std::int64_t revision = 0;
};

struct EtcdPut {
  std::string key;
  std::string value;
  std::int64_t lease = 0;
};

// All compares hold: the changes, then the ranges. Else: only the ranges. One revision sees all.
struct EtcdTxn {
  std::vector<EtcdCompare> compares;
  std::vector<EtcdPut> puts;
  std::vector<std::string> deletes;
  std::vector<EtcdRange> ranges;

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
    untrusted,   // no connection: certificates
    denied,      // not permitted; nothing was done
    signed_out,  // the session of the user has ended; nothing was done
    full,        // out of space; nothing was done
    refused,     // not understood; nothing was done
  };
  Kind kind = Kind::unknown;
  std::string text;
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
  // The id of a lease that ends after `seconds`.
  virtual void grant(std::size_t endpoint, std::int64_t seconds, std::chrono::milliseconds limit,
                     EtcdHandler<std::int64_t> handler) = 0;
  // From then on all calls are this user's.
  virtual void sign_in(std::size_t endpoint, const std::string& user, const std::string& password,
                       std::chrono::milliseconds limit, EtcdHandler<bool> handler) = 0;
};

// The plugin's two functions, by these names. It fits only the very version it was built with.
inline constexpr const char* kEtcdPluginVersion = "dexlock_etcd_version";
inline constexpr const char* kEtcdPluginMake = "dexlock_etcd_make";
using EtcdVersionFunction = const char* (*)();
using EtcdMakeFunction = EtcdService* (*)(const EtcdService::Options*);

}  // namespace dexlock
