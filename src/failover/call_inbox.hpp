// Calls that other threads make on this one.
//
// Threads: put() any; the rest one.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "system/unique_fd.hpp"

namespace dexlock {

class CallInbox {
 public:
  CallInbox() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  void put(std::function<void()> call) {
    {
      const std::lock_guard lock(mutex_);
      calls_.push_back(std::move(call));
    }
    const std::uint64_t one = 1;
    static_cast<void>(!::write(fd_.get(), &one, sizeof one));
  }

  // Makes the calls that have come.
  void run() {
    std::uint64_t count = 0;
    static_cast<void>(!::read(fd_.get(), &count, sizeof count));
    std::vector<std::function<void()>> calls;
    {
      const std::lock_guard lock(mutex_);
      calls.swap(calls_);
    }
    for (const auto& call : calls) {
      call();
    }
  }

  // Readable when there are some.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::mutex mutex_;
  std::vector<std::function<void()>> calls_;
};

}  // namespace dexlock
