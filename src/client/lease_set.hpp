// Several locks held as one: all of them or none, and lost as soon as one of them is.
//
// Threads: as Lease.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/loss_news.hpp"
#include "dexlock/lease.hpp"

namespace dexlock {

class LeaseSet final : public Lease {
 public:
  struct Held {
    std::string name;
    std::unique_ptr<Lease> lease;
  };

  // Requires: one of `held` is `first`, whose token is this one's; `news` has what they tell.
  LeaseSet(std::vector<Held> held, std::string first, std::shared_ptr<LossNews> news);

  [[nodiscard]] std::uint64_t token() const override;
  [[nodiscard]] std::map<std::string, std::uint64_t> tokens() const override;
  [[nodiscard]] std::chrono::nanoseconds elapsed() const override;
  [[nodiscard]] std::chrono::nanoseconds remaining() const override;
  [[nodiscard]] bool holds() const override;
  [[nodiscard]] std::string loss() const override;
  [[nodiscard]] std::stop_token lost_token() const override { return news_->token(); }
  [[nodiscard]] int loss_fd() const override { return news_->fd(); }
  Result<void> set_value(std::string text, std::chrono::milliseconds limit) override;
  // Of several locks it is not known which were taken from whom.
  [[nodiscard]] std::optional<Predecessor> previous() const override { return std::nullopt; }
  Result<void> fenced(std::chrono::milliseconds limit) override;
  Result<void> release(std::chrono::milliseconds limit) override;

 private:
  std::vector<Held> held_;
  std::string first_;
  std::shared_ptr<LossNews> news_;
};

}  // namespace dexlock
