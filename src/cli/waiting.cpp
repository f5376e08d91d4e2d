#include "cli/waiting.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <exception>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/waiting_line.hpp"

namespace dexlock {
namespace {

constexpr int kShowAgainMs = 500;
constexpr std::chrono::seconds kSilentOutage{10};  // a restart of a lock server is no news

std::string text_of(const Waiting& waiting) {
  std::string text = waiting.why;
  if (waiting.before > 0) {
    text += ", " + std::to_string(waiting.before) + " before this one";
  }
  if (waiting.answering < waiting.servers) {
    text += ", " + std::to_string(waiting.answering) + " of " + std::to_string(waiting.servers) +
            " lock servers answer";
  }
  return text;
}

// Says once, in a log, that no majority answers: that may need somebody.
class OutageNotice {
 public:
  void operator()(const Waiting& waiting) {
    const auto now = std::chrono::steady_clock::now();
    if (2 * waiting.answering > waiting.servers) {
      since_.reset();
      told_ = false;
    } else if (!since_) {
      since_ = now;
    } else if (!told_ && now - *since_ >= kSilentOutage) {
      told_ = true;
      complain_at_once("waiting: " + text_of(waiting));
    }
  }

 private:
  std::optional<std::chrono::steady_clock::time_point> since_;
  bool told_ = false;
};

}  // namespace

Acquired wait_for_lock(RunOptions& options, const CaughtSignals& signals) {
  const bool on_terminal = WaitingLine::possible() && !options.verbose;
  WaitingLine line("waiting for " + (options.any.empty() ? options.lease.name : "one of a pool"));
  if (on_terminal) {
    options.lease.on_wait = [&line](const Waiting& waiting) {
      line.tell(text_of(waiting), waiting.takeover);
    };
  } else if (options.verbose) {
    options.lease.on_wait = [last = std::string()](const Waiting& waiting) mutable {
      if (const std::string text = text_of(waiting); text != last) {
        complain_at_once("waiting: " + text);
        last = text;
      }
    };
  } else {
    options.lease.on_wait = OutageNotice();
  }
  Acquired acquired{.lease = fail(Errc::io, "cannot wait for the lock"), .signal = std::nullopt};
  const int done = ::eventfd(0, EFD_CLOEXEC);
  std::stop_source stop;
  std::thread waiting([&] {
    try {
      acquired.lease =
          options.any.empty()
              ? Lease::acquire_all(options.lease, options.also, stop.get_token())
              : Lease::acquire_any(options.lease, names_asked_for(options), stop.get_token());
    } catch (const std::exception& error) {  // no descriptor, no thread, no memory left
      acquired.lease = fail(Errc::io, std::string("cannot wait for the lock: ") + error.what());
    }
    constexpr std::uint64_t kOne = 1;
    static_cast<void>(::write(done, &kOne, sizeof kOne));
  });
  std::array<pollfd, 2> watched{pollfd{signals.fd(), POLLIN, 0}, pollfd{done, POLLIN, 0}};
  while (watched[1].revents == 0) {
    ::poll(watched.data(), watched.size(), on_terminal ? kShowAgainMs : -1);
    if (on_terminal && !acquired.signal) {
      line.show();
    }
    while (const auto signal = signals.next()) {
      if (ends_the_wait(*signal)) {
        acquired.signal = signal;
        stop.request_stop();
      }
    }
  }
  waiting.join();
  ::close(done);
  return acquired;
}

}  // namespace dexlock
