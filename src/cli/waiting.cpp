#include "cli/waiting.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <exception>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/waiting_line.hpp"

namespace dexlock {
namespace {

constexpr int kShowAgainMs = 500;

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
