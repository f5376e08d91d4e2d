#include "client/loss_news.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace dexlock {

LossNews::LossNews(std::function<void(const std::string&)> told)
    : told_(std::move(told)), fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

bool LossNews::arm() {
  const std::scoped_lock lock(mutex_);
  armed_ = !lost_;
  return armed_;
}

void LossNews::lost(const std::string& why) {
  bool tell = false;
  {
    const std::scoped_lock lock(mutex_);
    tell = armed_ && !lost_ && told_;
    lost_ = true;
  }
  constexpr std::uint64_t kOne = 1;
  static_cast<void>(::write(fd_.get(), &kOne, sizeof kOne));
  source_.request_stop();
  if (tell) {
    told_(why);
  }
}

}  // namespace dexlock
