#include "cli/top_command.hpp"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>

#include "cli/caught_signals.hpp"
#include "cli/command_line.hpp"
#include "cli/full_screen.hpp"
#include "cli/look_options.hpp"
#include "cli/shown_text.hpp"
#include "cli/status_of.hpp"
#include "cli/top_screen.hpp"
#include "dexlock/exit_status.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {
namespace {

constexpr std::chrono::milliseconds kRefresh{1'000};

struct Look {
  ServersSight servers;
  LocksSight locks;
};

// Looks again and again, on a thread of its own: a server that hangs must not hold up the keys.
class Looker {
 public:
  explicit Looker(std::unique_ptr<Inspector> inspector)
      : inspector_(std::move(inspector)),
        news_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        thread_([this] { run(); }) {}
  ~Looker() {
    ended_ = true;
    inspector_->stop();
    thread_.join();
  }
  Looker(const Looker&) = delete;
  Looker& operator=(const Looker&) = delete;

  // Readable once there is something new.
  [[nodiscard]] int fd() const { return news_.get(); }

  [[nodiscard]] std::optional<Look> latest() {
    eventfd_t ignored = 0;
    ::eventfd_read(news_.get(), &ignored);
    const std::scoped_lock lock(mutex_);
    return latest_;
  }

 private:
  void run() {
    while (!ended_) {
      Look look{.servers = inspector_->servers()};
      if (auto locks = inspector_->locks("*")) {
        look.locks = std::move(*locks);
      }
      {
        const std::scoped_lock lock(mutex_);
        latest_ = std::move(look);
      }
      ::eventfd_write(news_.get(), 1);
      inspector_->wait(kRefresh);
    }
  }

  std::unique_ptr<Inspector> inspector_;
  UniqueFd news_;
  std::mutex mutex_;
  std::optional<Look> latest_;  // guarded by mutex_
  std::atomic<bool> ended_ = false;
  std::thread thread_;  // last: it uses all the others
};

bool wants_colour() {
  const char* no_colour = ::getenv("NO_COLOR");
  return no_colour == nullptr || *no_colour == '\0';
}

// False: the terminal has gone away.
bool draw(FullScreen& screen, const std::optional<Look>& look) {
  const FullScreen::Size size = screen.size();
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  if (!look) {
    return screen.draw({"dex-lock top: looking for the lock servers (q ends)"});
  }
  return screen.draw(top_screen(look->servers, look->locks, shown_moment(now),
                                {.colour = wants_colour(),
                                 .utf8 = speaks_utf8(),
                                 .columns = size.columns,
                                 .rows = size.rows}));
}

// True: it is the end.
bool ends(const pollfd& keys) {
  std::array<char, 64> typed{};
  const ssize_t got = (keys.revents & (POLLIN | POLLHUP | POLLERR)) != 0
                          ? ::read(STDIN_FILENO, typed.data(), typed.size())
                          : 0;
  return std::any_of(typed.begin(), typed.begin() + std::max<ssize_t>(got, 0),
                     [](char c) { return c == 'q' || c == 'Q' || c == '\x03'; });
}

// The signal that ended it, or nothing.
std::optional<int> show(Looker& looker, CaughtSignals& signals) {
  FullScreen screen;
  const bool has_keys = ::isatty(STDIN_FILENO) != 0;
  std::optional<Look> look;
  while (draw(screen, look)) {
    std::array<pollfd, 3> waiting{
        {{.fd = signals.fd(), .events = POLLIN, .revents = 0},
         {.fd = looker.fd(), .events = POLLIN, .revents = 0},
         {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0}}};
    ::poll(waiting.data(), waiting.size(), -1);
    while (const auto signal = signals.next()) {
      if (*signal != SIGWINCH) {
        return signal;
      }
    }
    const bool hung_up = (waiting[2].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
    if (ends(waiting[2]) || hung_up) {
      return std::nullopt;
    }
    if (auto latest = looker.latest()) {
      look = std::move(latest);
    }
  }
  return std::nullopt;
}

}  // namespace

int top_command(std::span<const std::string> words) {
  CLI::App app(
      "Shows the lock servers and the locks that are held, with who waits, on the full screen, "
      "every second anew. q or Ctrl-C ends it.",
      "dex-lock top");
  app.group("See what is held");
  app.footer(R"(examples:
  # until q is pressed
  dex-lock top
)");
  LookOptions look;
  look.patience = "3";
  look.add_to(app, false);
  if (const auto status = parse_words(app, words)) {
    return *status;
  }
  InspectorOptions options{.live = true};
  if (!look.read(options)) {
    return static_cast<int>(ExitStatus::usage);
  }
  if (const auto possible = FullScreen::possible(); !possible) {
    complain("top: " + possible.error().text);
    return static_cast<int>(ExitStatus::usage);
  }
  auto inspector = Inspector::open(options);
  if (!inspector) {
    complain(inspector.error().text);
    return status_of(inspector.error());
  }
  CaughtSignals signals;  // before the thread, which then has them blocked as well
  Looker looker(std::move(*inspector));
  const auto signal = show(looker, signals);
  // As the shell tells of a command that a signal has ended; Ctrl-C is a way to end it well.
  constexpr int kSignalBase = 128;
  return signal && *signal != SIGINT ? kSignalBase + *signal : static_cast<int>(ExitStatus::ok);
}

}  // namespace dexlock
