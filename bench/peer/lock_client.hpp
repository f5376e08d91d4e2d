// What the lock services that are measured side by side have in common.
//
// Threads:     a client belongs to one thread.
// Never does:  hides an error: what cannot be measured throws.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dexlock::bench {

struct ClientSetup {
  std::vector<std::string> servers;  // HOST:PORT each
  std::string lock;
  std::chrono::milliseconds timeout{60'000};  // of the lease; no measurement lasts as long
  std::size_t number = 0;                     // of this client among all
  bool waits = false;                         // others want its lock
};

// A client with connections of its own, and the lock that it takes again and again.
class LockClient {
 public:
  LockClient() = default;
  LockClient(const LockClient&) = delete;
  LockClient& operator=(const LockClient&) = delete;
  virtual ~LockClient() = default;

  virtual void acquire() = 0;  // until it is held
  virtual void release() = 0;  // until that is confirmed
  // Until the lease is confirmed anew. False: there is no such call, its library does that.
  virtual bool renew() = 0;
};

struct Peer {
  std::string name;
  std::function<std::unique_ptr<LockClient>(const ClientSetup&)> connect;
  // Leaves so many locks held, as fast as it can.
  std::function<void(const std::vector<std::string>& servers, std::size_t locks)> hold;
};

// The name of one of many locks: 16 bytes. What stays held has names of its own.
inline std::string numbered_lock(std::size_t number, const char* kind = "used/") {
  constexpr std::size_t kDigits = 11;
  const std::string digits = std::to_string(number);
  return kind + std::string(kDigits - digits.size(), '0') + digits;
}
inline std::string held_lock(std::size_t number) { return numbered_lock(number, "held/"); }

Peer dex_lock_peer();
Peer dex_lock_on_etcd_peer();
Peer redlock_peer();
Peer etcd_peer();
Peer zookeeper_peer();

}  // namespace dexlock::bench
