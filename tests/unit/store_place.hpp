// A place of a test's own for real locks: this process and nobody else uses its store.
#pragma once

#include <stdlib.h>

#include "scratch_directory.hpp"

namespace dexlock {

class StorePlace {
 public:
  StorePlace() {
    const auto list = scratch_.write("conf/lock_servers", "dir:" + store().native() + "\n");
    ::setenv("DEXLOCK_CONF", list.parent_path().c_str(), 1);
    ::setenv("DEXLOCK_STATE", (scratch_.path() / "state").c_str(), 1);
  }
  ~StorePlace() {
    ::unsetenv("DEXLOCK_CONF");
    ::unsetenv("DEXLOCK_STATE");
  }
  StorePlace(const StorePlace&) = delete;
  StorePlace& operator=(const StorePlace&) = delete;

  // From here on it answers nobody.
  void lose_store() const { std::filesystem::remove_all(store()); }

 private:
  [[nodiscard]] std::filesystem::path store() const { return scratch_.path() / "store"; }

  ScratchDirectory scratch_;
};

}  // namespace dexlock
