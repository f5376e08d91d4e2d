// What the holder's threads may know of a lease at any time, while its keeper works on it.
//
// Threads: any.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "client/loss_news.hpp"
#include "lease/belief.hpp"
#include "lock/ids.hpp"
#include "lock/record.hpp"

namespace dexlock {

class LeaseFacts {
 public:
  explicit LeaseFacts(std::function<void(const std::string&)> on_lost)
      : news_(std::move(on_lost)) {}

  void note_token(FencingToken token);
  void note_belief(const Belief& belief);
  void note_previous(std::optional<Departed> previous);
  // Why it is not held any more. False: it was not before either.
  bool end(std::string why);

  [[nodiscard]] FencingToken token() const;
  [[nodiscard]] std::optional<Departed> previous() const;
  [[nodiscard]] Nanoseconds elapsed() const;
  [[nodiscard]] Nanoseconds remaining() const;
  [[nodiscard]] std::string loss() const;
  [[nodiscard]] LossNews& news() { return news_; }

 private:
  LossNews news_;
  mutable std::mutex mutex_;  // guards what follows
  FencingToken token_;
  std::optional<Departed> previous_;
  Instant start_;
  Nanoseconds lease_{};
  std::string loss_text_;
};

}  // namespace dexlock
