// A lease that is lost when told, and says when it is released.
#pragma once

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <utility>

#include "dexlock/lease.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

class ToldLease final : public Lease {
 public:
  using OnRelease =
      std::function<Result<void>(const std::string& name, std::chrono::milliseconds limit)>;

  ToldLease(std::string name, std::uint64_t token, OnRelease on_release)
      : name_(std::move(name)),
        token_(token),
        on_release_(std::move(on_release)),
        loss_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  void lose(const std::string& why) {
    why_ = why;
    constexpr std::uint64_t kOne = 1;
    EXPECT_EQ(::write(loss_.get(), &kOne, sizeof kOne), 8);
  }

  std::uint64_t token() const override { return token_; }
  std::map<std::string, std::uint64_t> tokens() const override { return {{name_, token_}}; }
  std::chrono::nanoseconds elapsed() const override { return std::chrono::milliseconds(token_); }
  bool holds() const override { return why_.empty(); }
  std::string loss() const override { return why_; }
  int loss_fd() const override { return loss_.get(); }
  Result<void> release(std::chrono::milliseconds limit) override {
    return on_release_(name_, limit);
  }

 private:
  std::string name_;
  std::uint64_t token_;
  OnRelease on_release_;
  UniqueFd loss_;
  std::string why_;
};

}  // namespace dexlock
