#include "failover/supervisor_line.hpp"

#include <sys/socket.h>

#include "system/boot_time.hpp"

namespace dexlock {
namespace {

constexpr std::chrono::milliseconds kSilenceMax{10'000};  // of a supervisor that is there

}  // namespace

SupervisorLine::SupervisorLine(UniqueFd listener)
    : listener_(std::move(listener)), heard_at_(boot_time()) {}

void SupervisorLine::accept() {
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (socket.get() >= 0) {
    socket_ = std::move(socket);
    awaits_first_ = false;
    greeted_ = false;
    heard_at_ = boot_time();
  }
}

void SupervisorLine::hear(const std::function<void(const Words&)>& obey) {
  Words words;
  Heard heard = Heard::message;
  while ((heard = receive_words(socket_.get(), words)) == Heard::message) {
    heard_at_ = boot_time();
    obey(words);
    if (!connected()) {
      return;
    }
  }
  if (heard == Heard::closed) {
    hang_up();
  }
}

void SupervisorLine::greet(const Words& words) {
  greeted_ = true;
  tell(words);
}

void SupervisorLine::tell(const Words& words) {
  if (greeted_ && connected() && !send_words(socket_.get(), words)) {
    hang_up();
  }
}

bool SupervisorLine::lives() const {
  return (connected() || awaits_first_) && boot_time() - heard_at_ < kSilenceMax;
}

}  // namespace dexlock
