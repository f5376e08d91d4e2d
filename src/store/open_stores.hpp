// The stores this process has open, by directory. LMDB forbids opening an environment twice in a
// process: closing one of the two would drop the file locks of both.
//
// Invariants:  per directory and process at most one store is being opened, open, or being closed.
//              A directory in which a sync has failed is not opened again by this process.
// Threads:     any. Never held while a store is opened or closed, only asked before and told after.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "dexlock/error.hpp"
#include "system/small_file.hpp"

namespace dexlock {

class EmbeddedStore;

class OpenStores {
 public:
  using Store = std::shared_ptr<EmbeddedStore>;

  static OpenStores& of_this_process();

  // The store that is open for this directory, else the one that `open_it` opens. Waits for one
  // that is being opened or closed; store_busy after `wait`. The stores given out must die by
  // closing().
  Result<Store> get(const FileIdentity& directory, std::chrono::milliseconds wait,
                    const std::function<Result<Store>()>& open_it);
  // Runs `close_it` as the end of the store of this directory. `failed`: it must not be opened
  // again.
  void closing(const FileIdentity& directory, bool failed, const std::function<void()>& close_it);

 private:
  // The pid, as a forked child has none of its parent's stores open.
  using Key = std::pair<pid_t, FileIdentity>;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Key, std::weak_ptr<EmbeddedStore>> stores_;  // expired: being opened or closed
  std::set<Key> failed_;
};

}  // namespace dexlock
