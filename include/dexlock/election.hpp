// An election: the leader is who holds the lock of that name, and what it stored with the lock says
// where it is found. Candidates campaign(); whoever wants to know the leader observes.
//
// A leader that has died is shown until another one has taken the lock over.
//
// Threads: any. on_change is called on the background thread of the leases; it must return soon,
// must not throw and must not destroy an observer or a lease.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "dexlock/lease.hpp"

namespace dexlock {

struct Leader {
  std::string value;        // what it said of itself
  std::uint64_t token = 0;  // each leader has a higher one than all before

  friend bool operator==(const Leader&, const Leader&) = default;
};

class DEXLOCK_API Election {
 public:
  // Waits until this process is the leader and `value` is stored. The lease is the leadership:
  // on_lost tells that it is over, release() resigns. Errors: those of Lease::acquire(), and of
  // set_value(): then the lock was released again.
  [[nodiscard]] static Result<std::unique_ptr<Lease>> campaign(LeaseOptions options,
                                                               std::string value,
                                                               std::stop_token stop = {});

  // Nothing: there is no leader, or it has not said yet who it is.
  using OnChange = std::function<void(const std::optional<Leader>&)>;

  // Watches from now on. The first call of `on_change` tells the present leader, or that there is
  // none. Errors: bad_argument, bad_config.
  [[nodiscard]] static Result<std::unique_ptr<Election>> observe(std::string name,
                                                                 OnChange on_change = {});

  virtual ~Election() = default;  // on_change is not called any more

  // As last seen.
  [[nodiscard]] virtual std::optional<Leader> leader() const = 0;

  // Since when no majority has answered, as one line; empty while what is shown is up to date.
  [[nodiscard]] virtual std::string trouble() const = 0;
};

}  // namespace dexlock
