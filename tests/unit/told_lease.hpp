// A lease that is lost when told, and says when it is released.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "client/loss_news.hpp"
#include "dexlock/lease.hpp"

namespace dexlock {

class ToldLease final : public Lease {
 public:
  using OnRelease =
      std::function<Result<void>(const std::string& name, std::chrono::milliseconds limit)>;

  // `news`: shared with others, or nothing for its own.
  ToldLease(std::string name, std::uint64_t token, OnRelease on_release,
            std::shared_ptr<LossNews> news = nullptr)
      : name_(std::move(name)),
        token_(token),
        on_release_(std::move(on_release)),
        news_(news ? std::move(news) : std::make_shared<LossNews>(nullptr)) {}

  void lose(const std::string& why) {
    why_ = why;
    news_->lost(why);
  }

  std::uint64_t token() const override { return token_; }
  std::map<std::string, std::uint64_t> tokens() const override { return {{name_, token_}}; }
  std::chrono::nanoseconds elapsed() const override { return std::chrono::milliseconds(token_); }
  bool holds() const override { return why_.empty(); }
  std::string loss() const override { return why_; }
  std::chrono::nanoseconds remaining() const override {
    return std::chrono::milliseconds(10 - static_cast<std::int64_t>(token_));
  }
  std::stop_token lost_token() const override { return news_->token(); }
  int loss_fd() const override { return news_->fd(); }
  Result<void> set_value(std::string text, std::chrono::milliseconds limit) override {
    EXPECT_EQ(limit, std::chrono::milliseconds(1000));
    value = name_ + '=' + text;
    return {};
  }
  std::optional<Predecessor> previous() const override { return std::nullopt; }
  Result<void> fenced(std::chrono::milliseconds) override { return {}; }
  Result<void> release(std::chrono::milliseconds limit) override {
    return on_release_(name_, limit);
  }

  std::string value;

 private:
  std::string name_;
  std::uint64_t token_;
  OnRelease on_release_;
  std::shared_ptr<LossNews> news_;
  std::string why_;
};

}  // namespace dexlock
