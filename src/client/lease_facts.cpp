#include "client/lease_facts.hpp"

#include <algorithm>
#include <utility>

#include "client/clock.hpp"
#include "lease/timing.hpp"

namespace dexlock {

void LeaseFacts::note_token(FencingToken token) {
  const std::scoped_lock lock(mutex_);
  token_ = token;
}

void LeaseFacts::note_belief(const Belief& belief) {
  const std::scoped_lock lock(mutex_);
  start_ = belief.start();
  lease_ = belief.lease();
}

void LeaseFacts::note_previous(std::optional<Departed> previous) {
  const std::scoped_lock lock(mutex_);
  previous_ = std::move(previous);
}

std::optional<Departed> LeaseFacts::previous() const {
  const std::scoped_lock lock(mutex_);
  return previous_;
}

bool LeaseFacts::end(std::string why) {
  const std::scoped_lock lock(mutex_);
  if (!loss_text_.empty()) {
    return false;
  }
  loss_text_ = std::move(why);
  return true;
}

FencingToken LeaseFacts::token() const {
  const std::scoped_lock lock(mutex_);
  return token_;
}

Nanoseconds LeaseFacts::elapsed() const {
  const std::scoped_lock lock(mutex_);
  return elapsed_for_holder(start_, now());
}

Nanoseconds LeaseFacts::remaining() const {
  const std::scoped_lock lock(mutex_);
  const Nanoseconds left = lease_ - elapsed_for_holder(start_, now());
  return loss_text_.empty() ? std::max(left, Nanoseconds(0)) : Nanoseconds(0);
}

std::string LeaseFacts::loss() const {
  const std::scoped_lock lock(mutex_);
  return loss_text_;
}

}  // namespace dexlock
