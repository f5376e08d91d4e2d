// Hears that locks have changed, as soon as the lock servers tell: somebody took one or let it go,
// or stored a value with it. What it is now is for the reader to find out.
//
// A hint: servers without the native protocol tell nothing, and a word of them may be lost. Whoever
// depends on what is stored looks again after a while also without one.
//
// Threads: any. on_news is called on the background thread of the leases; it must return soon, must
// not throw and must not destroy this or a lease.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "dexlock/api.hpp"
#include "dexlock/error.hpp"

namespace dexlock {

class DEXLOCK_API LockNews {
 public:
  using OnNews = std::function<void()>;

  // Of no lock yet. Errors: bad_config, io.
  [[nodiscard]] static Result<std::unique_ptr<LockNews>> open(OnNews on_news);

  virtual ~LockNews() = default;  // on_news is not called any more

  // From now on of these instead; they need not exist. A new one that does is told at once: it may
  // have changed just before. bad_argument: one is no name; then all is as before.
  [[nodiscard]] virtual Result<void> listen(const std::set<std::string>& names) = 0;
};

}  // namespace dexlock
