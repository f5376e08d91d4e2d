// A lock held by this process: acquired, renewed in the background, released at the end.
//
// The holder must act on its own deadline: ask holds() before each act, and stop in time. Whatever
// the network does, no one else is granted the lock before `timeout + stop_timeout` have passed
// since elapsed() was zero.
//
// Threads: any. Renewal runs on one background thread for all leases of the process. It calls
// on_wait and on_lost: these must return soon, must not throw, and must not release or destroy a
// lease.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "dexlock/api.hpp"
#include "dexlock/error.hpp"
#include "dexlock/sharing.hpp"

namespace dexlock {

// Who had the lock before and did not give it up by itself: its work may still go on.
struct Predecessor {
  std::uint64_t token = 0;
  std::string who{};    // for people, as far as it told: user@host pid PID COMMAND
  bool broken = false;  // by an operator; else its lease ran out
};

// Where all that works under a lock runs, for waiters on the same host: if this process, the one
// that starts that work, and all of the work have ended without a release, they need not wait for
// the lease to run out.
struct WorkPlace {
  std::string cgroup{};  // directory of a control group (cgroup v2) with nothing else in it
  int process = 0;       // the only one that starts anything there
};

// Why a call waits.
struct Waiting {
  std::string why{};          // one line: who holds it, or what is missing
  std::size_t before = 0;     // how many stand in line before this one
  std::size_t answering = 0;  // of the lock servers
  std::size_t servers = 0;
  // If no holder shows any more life: when one can be taken over, as far as is known.
  std::optional<std::chrono::milliseconds> takeover{};
};

struct LeaseOptions {
  std::string name{};
  std::chrono::milliseconds timeout{30'000};          // without a majority for so long it is lost
  std::chrono::milliseconds stop_timeout{0};          // then others wait that much longer
  Sharing sharing{};                                  // alone, unless it says otherwise
  bool fifo = false;                                  // its release asks first who waits
  bool fences = false;                                // deals with previous() before it works
  std::optional<WorkPlace> work{};                    // nothing: it cannot be told
  std::string command{};                              // for people who ask who holds it
  std::optional<std::chrono::milliseconds> wait{};    // how long to wait for it; nothing: for ever
  bool try_once = false;                              // do not wait for a live holder at all
  std::function<void(const Waiting&)> on_wait{};      // each time it has looked
  std::function<void(const std::string&)> on_lost{};  // why; once, and never after release()
};

// Where calls are to be made, for example on a thread or a loop of the program's own. It may make
// the call at once, on the background thread: there nothing may wait, but a lease may be destroyed.
using Executor = std::function<void(std::function<void()>)>;

class DEXLOCK_API Lease {
 public:
  // Errors: held_by_other (try_once, or not in time), no_quorum, bad_config, bad_argument,
  // outcome_unknown (stopped by `stop`), io.
  [[nodiscard]] static Result<std::unique_ptr<Lease>> acquire(LeaseOptions options,
                                                              std::stop_token stop = {});

  // acquire() with try_once.
  [[nodiscard]] static Result<std::unique_ptr<Lease>> try_acquire(LeaseOptions options);

  // `options.name` and the locks `also`, all or none, as one lease: it is lost as soon as one of
  // them is. They are taken in the order of their names; token() is that of `options.name`. Errors:
  // as acquire(), and lease_lost: one was lost while the others were awaited.
  [[nodiscard]] static Result<std::unique_ptr<Lease>> acquire_all(
      LeaseOptions options, const std::vector<std::string>& also, std::stop_token stop = {});

  // One of the locks `names`, the first that is to be had, taken in whatever order: it waits in
  // line for all of them at once. `options.name` is not used; tokens() names the one. Errors: as
  // acquire().
  [[nodiscard]] static Result<std::unique_ptr<Lease>> acquire_any(
      LeaseOptions options, const std::vector<std::string>& names, std::stop_token stop = {});

  // acquire() that returns at once (it reads the configuration before), and gives its result to
  // `done`, once, by way of `executor`.
  using Acquired = std::function<void(Result<std::unique_ptr<Lease>>)>;
  static void async_acquire(LeaseOptions options, Executor executor, Acquired done,
                            std::stop_token stop = {});

  // release() that returns at once; then the lease is destroyed.
  static void async_release(std::unique_ptr<Lease> lease, std::chrono::milliseconds limit,
                            Executor executor, std::function<void(Result<void>)> done);

  // For a program that ends after its last lease went where the library calls, as by the two calls
  // above: returns when its connections are closed, or false after `limit`. Requires: no lease is
  // left, and nobody makes one.
  static bool wait_for_background(std::chrono::milliseconds limit);

  // Releases it if it is held, and waits a second for that at most.
  virtual ~Lease() = default;

  [[nodiscard]] virtual std::uint64_t token() const = 0;

  // The token of each lock that is held, by its name.
  [[nodiscard]] virtual std::map<std::string, std::uint64_t> tokens() const = 0;

  // Time since the newest confirmed renewal was sent, never too short.
  [[nodiscard]] virtual std::chrono::nanoseconds elapsed() const = 0;

  // For that long it is held without another renewal, whatever happens; zero once it is not.
  [[nodiscard]] virtual std::chrono::nanoseconds remaining() const = 0;

  // True while less than `timeout` has elapsed and nobody has taken the lock away.
  [[nodiscard]] virtual bool holds() const = 0;

  // Why it was lost; empty while it is held.
  [[nodiscard]] virtual std::string loss() const = 0;

  // Is asked to stop when the lock is lost, not when it is released.
  [[nodiscard]] virtual std::stop_token lost_token() const = 0;

  // A descriptor that becomes readable when the lock is lost. For poll(2); not to be read or
  // closed.
  [[nodiscard]] virtual int loss_fd() const = 0;

  // Stores `text` with the lock; it stays there when the lock is released, until a later holder
  // stores another. Of several locks: with that of token(). Errors: bad_argument (too long, or the
  // lock is shared), lease_lost (not held: nothing was sent), outcome_unknown (not confirmed within
  // `limit`, or lost meanwhile: it may be stored, now or while the lock is held), io.
  virtual Result<void> set_value(std::string text, std::chrono::milliseconds limit) = 0;

  // With `fences`, of one lock that is held alone: the latest holder that did not give the lock up
  // by itself, if nobody has dealt with it. Whoever comes next finds it here as well, until
  // fenced(); not so if one comes without `fences`.
  [[nodiscard]] virtual std::optional<Predecessor> previous() const = 0;

  // Records with the lock that previous() surely works no more. Errors: as set_value().
  virtual Result<void> fenced(std::chrono::milliseconds limit) = 0;

  // Ends the holding at once and tells the servers. no_quorum: not confirmed within `limit`.
  virtual Result<void> release(std::chrono::milliseconds limit) = 0;
};

}  // namespace dexlock
