// The news that a lease is lost: a descriptor, a stop token and the holder's function.
//
// Invariants:  each tells once; the function not before arm(), and on the thread that calls lost().
// Threads:     any.
#pragma once

#include <functional>
#include <mutex>
#include <stop_token>
#include <string>

#include "system/unique_fd.hpp"

namespace dexlock {

class LossNews {
 public:
  explicit LossNews(std::function<void(const std::string&)> told);

  // The holder has its lease. False: what it would hold is lost already.
  [[nodiscard]] bool arm();

  void lost(const std::string& why);

  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  std::function<void(const std::string&)> told_;
  std::stop_source source_;
  UniqueFd fd_;
  std::mutex mutex_;  // guards what follows
  bool armed_ = false;
  bool lost_ = false;
};

}  // namespace dexlock
