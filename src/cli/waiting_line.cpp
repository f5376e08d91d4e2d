#include "cli/waiting_line.hpp"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "cli/command_line.hpp"
#include "system/duration_text.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kTakeBack = "\r\033[K";
constexpr std::size_t kWidth = 80;  // of terminals that do not tell

std::size_t width() {
  winsize size{};
  const bool told = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return told ? size.ws_col : kWidth;
}

}  // namespace

bool WaitingLine::possible() {
  const char* terminal = ::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && terminal != nullptr &&
         std::string_view(terminal) != "dumb";
}

void WaitingLine::tell(const std::string& why, std::optional<std::chrono::milliseconds> takeover) {
  const std::scoped_lock guard(mutex_);
  why_ = why;
  takeover_.reset();
  if (takeover) {
    takeover_ = std::chrono::steady_clock::now() + *takeover;
  }
}

void WaitingLine::show() {
  std::string why;
  {
    const std::scoped_lock guard(mutex_);
    why = why_;
    if (takeover_) {
      const auto left =
          std::chrono::ceil<std::chrono::seconds>(*takeover_ - std::chrono::steady_clock::now());
      why += ", to be taken over in " + duration_text(std::max(left, std::chrono::seconds(0))) +
             " if it is dead";
    }
  }
  if (why.empty() || !stderr_takes_more()) {  // a terminal may be held, with Ctrl-S
    return;
  }
  const auto waited =
      std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now() - since_);
  std::string line = complaint(what_ + " (" + duration_text(waited) + "): " + why);
  line.pop_back();  // its newline
  line = line.substr(0, std::max<std::size_t>(width(), 2) - 1);
  std::fputs((std::string(kTakeBack) + line).c_str(), stderr);
  std::fflush(stderr);
  shown_ = true;
}

WaitingLine::~WaitingLine() {
  if (shown_ && stderr_takes_more()) {
    std::fputs(std::string(kTakeBack).c_str(), stderr);
    std::fflush(stderr);
  }
}

}  // namespace dexlock
