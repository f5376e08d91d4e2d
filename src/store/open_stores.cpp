#include "store/open_stores.hpp"

#include <unistd.h>

namespace dexlock {

OpenStores& OpenStores::of_this_process() {
  // Never destroyed: a store may be closed by another static object's destructor.
  static auto* const kStores = new OpenStores;
  return *kStores;
}

Result<OpenStores::Store> OpenStores::get(const FileIdentity& directory,
                                          std::chrono::milliseconds wait,
                                          const std::function<Result<Store>()>& open_it) {
  const Key key{::getpid(), directory};
  const auto deadline = std::chrono::steady_clock::now() + wait;
  {
    std::unique_lock lock(mutex_);
    for (auto found = stores_.find(key); found != stores_.end(); found = stores_.find(key)) {
      if (Store store = found->second.lock()) {
        return store;
      }
      if (changed_.wait_until(lock, deadline) == std::cv_status::timeout) {
        return fail(
            Errc::store_busy,
            "another thread of this process is still opening or closing the store; try again");
      }
    }
    if (failed_.contains(key)) {
      return fail(Errc::io,
                  "an earlier sync of this store failed in this process; check the disk and the "
                  "kernel's log, then start the process again");
    }
    stores_.emplace(key, Store{});
  }
  Result<Store> opened = open_it();
  {
    const std::scoped_lock lock(mutex_);
    if (opened) {
      stores_[key] = *opened;
    } else {
      stores_.erase(key);
    }
  }
  changed_.notify_all();
  return opened;
}

void OpenStores::closing(const FileIdentity& directory, bool failed,
                         const std::function<void()>& close_it) {
  close_it();
  {
    const std::scoped_lock lock(mutex_);
    const Key key{::getpid(), directory};
    stores_.erase(key);
    if (failed) {
      failed_.insert(key);
    }
  }
  changed_.notify_all();
}

}  // namespace dexlock
