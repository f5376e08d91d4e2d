#include "cli/full_screen.hpp"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <string_view>

namespace dexlock {
namespace {

constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";
constexpr std::array kFatal{SIGABRT, SIGSEGV, SIGBUS};

// For the handler: it can be given nothing.
termios before_raw{};
bool keys_changed = false;
volatile sig_atomic_t entered = 0;

bool write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EAGAIN) {
      pollfd waiting{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
      ::poll(&waiting, 1, -1);
      continue;
    }
    if (written < 0 && errno != EINTR) {
      return false;
    }
    text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
  }
  return true;
}

// Nothing but what a signal handler may call.
void leave() {
  if (entered != 0) {
    entered = 0;
    static_cast<void>(write_all(kLeave));
    if (keys_changed) {
      ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_raw);
    }
  }
}

void on_fatal(int signal) {
  leave();
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

}  // namespace

Result<void> FullScreen::possible() {
  const char* kind = ::getenv("TERM");
  if (::isatty(STDOUT_FILENO) == 0 || kind == nullptr || std::string_view(kind) == "dumb") {
    return fail(Errc::bad_argument,
                "stdout is no terminal that can be drawn on; use dex-lock list or dex-lock status");
  }
  return {};
}

FullScreen::FullScreen() {
  keys_changed = ::tcgetattr(STDIN_FILENO, &before_raw) == 0;
  entered = 1;
  for (const int signal : kFatal) {
    ::signal(signal, on_fatal);
  }
  if (keys_changed) {
    termios raw = before_raw;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    raw.c_cc[VSUSP] = _POSIX_VDISABLE;  // a stopped one would leave the screen behind
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  }
  static_cast<void>(write_all(kEnter));
}

FullScreen::~FullScreen() {
  leave();
  for (const int signal : kFatal) {
    ::signal(signal, SIG_DFL);
  }
}

FullScreen::Size FullScreen::size() const {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    return {};
  }
  return {.columns = size.ws_col, .rows = size.ws_row};
}

bool FullScreen::draw(const std::vector<std::string>& lines) {
  std::string text = "\x1b[H";
  for (std::size_t row = 0; row < lines.size(); ++row) {
    text += (row == 0 ? "" : "\r\n") + lines[row] + "\x1b[K";
  }
  return write_all(text + "\x1b[J");
}

}  // namespace dexlock
