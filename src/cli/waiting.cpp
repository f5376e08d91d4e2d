#include "cli/waiting.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <optional>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
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

using LeaseResult = Result<std::unique_ptr<Lease>>;

// No descriptor, no thread, no memory left.
LeaseResult cannot_wait(const std::exception& error) {
  return fail(Errc::io, std::string("cannot wait for the lock: ") + error.what());
}

// What the lock's wait comes to. Several locks are waited for on a thread of their own.
class LockWait {
 public:
  LockWait(const RunOptions& options, const std::stop_token& stop) {
    try {
      if (options.any.empty() && options.also.empty()) {
        const auto at_once = [](const std::function<void()>& call) { call(); };
        Lease::async_acquire(
            options.lease, at_once, [this](LeaseResult result) { end(std::move(result)); }, stop);
      } else {
        several_ = std::thread([this, &options, stop] { end(wait_for_several(options, stop)); });
      }
    } catch (const std::exception& error) {
      end(cannot_wait(error));
    }
  }
  ~LockWait() {
    if (several_.joinable()) {
      several_.join();
    }
    ::close(ended_);
  }
  LockWait(const LockWait&) = delete;
  LockWait& operator=(const LockWait&) = delete;

  // Readable when the outcome is there.
  [[nodiscard]] int fd() const { return ended_; }
  [[nodiscard]] LeaseResult outcome() { return outcome_.get_future().get(); }

 private:
  static LeaseResult wait_for_several(const RunOptions& options, const std::stop_token& stop) {
    try {
      return options.any.empty()
                 ? Lease::acquire_all(options.lease, options.also, stop)
                 : Lease::acquire_any(options.lease, names_asked_for(options), stop);
    } catch (const std::exception& error) {
      return cannot_wait(error);
    }
  }

  // The last that is done with this on whatever thread: then it may go.
  void end(LeaseResult result) {
    outcome_.set_value(std::move(result));
    constexpr std::uint64_t kOne = 1;
    static_cast<void>(::write(ended_, &kOne, sizeof kOne));
  }

  static int make_event() {
    const int event = ::eventfd(0, EFD_CLOEXEC);
    if (event < 0) {
      throw std::system_error(errno, std::generic_category());
    }
    return event;
  }

  const int ended_ = make_event();
  std::promise<LeaseResult> outcome_;
  std::thread several_;
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
  std::stop_source stop;
  std::optional<int> ended_by;
  LockWait wait(options, stop.get_token());
  std::array<pollfd, 2> watched{pollfd{signals.fd(), POLLIN, 0}, pollfd{wait.fd(), POLLIN, 0}};
  while (watched[1].revents == 0) {
    ::poll(watched.data(), watched.size(), on_terminal ? kShowAgainMs : -1);
    if (on_terminal && !ended_by) {
      line.show();
    }
    while (const auto signal = signals.next()) {
      if (ends_the_wait(*signal)) {
        ended_by = signal;
        stop.request_stop();
      }
    }
  }
  return {.lease = wait.outcome(), .signal = ended_by};
}

}  // namespace dexlock
