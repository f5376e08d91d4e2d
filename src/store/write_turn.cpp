#include "store/write_turn.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <thread>

#include "system/namespace_number.hpp"

namespace dexlock {
namespace {

using Clock = std::chrono::steady_clock;

// Turns last as long as a sync, so about a millisecond; sleeping longer than that would only lose
// turns.
constexpr std::chrono::microseconds kPauseMin{20};
constexpr std::chrono::microseconds kPauseMax{500};
// How long one that waits may need to see that the turn is free: its pause, and being woken.
constexpr std::chrono::microseconds kGiveWay{4 * kPauseMax};
constexpr std::chrono::microseconds kGiveWayStep{50};

// Longer than any signature, so that a shorter one leaves no rest of an older one behind.
constexpr std::size_t kSignatureBytes = 80;
// Behind it: when somebody last waited, in nanoseconds of the monotonic clock. It is only a hint.
constexpr std::size_t kWaiterBytes = 20;

// One process as /proc tells it.
struct Process {
  std::string name;
  char state = '?';
  std::string start;  // in clock ticks since boot; tells it from a later one with the same pid
};

std::optional<Process> process(std::string_view pid) {
  // "pid (name) state ppid ... start": the name may hold anything, blanks and parentheses too.
  const auto stat = read_small(fmt::format("/proc/{}/stat", pid), 2048);
  const std::size_t open = stat ? stat->find('(') : std::string::npos;
  const std::size_t close = stat ? stat->rfind(')') : std::string::npos;
  if (open == std::string::npos || close == std::string::npos || close < open) {
    return std::nullopt;
  }
  Process found{.name = stat->substr(open + 1, close - open - 1), .start = {}};
  std::ranges::replace_if(
      found.name, [](char c) { return c < 0x21 || c > 0x7e; }, '?');
  std::string_view rest = std::string_view(*stat).substr(close + 1);
  for (int field = 3; field <= 22; ++field) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const std::string_view word = rest.substr(0, rest.find(' '));
    if (field == 3 && !word.empty()) {
      found.state = word.front();
    }
    if (field == 22) {
      found.start = word;
    }
    rest.remove_prefix(word.size());
  }
  return found;
}

std::string own_signature() {
  const auto self = process("self");
  std::string text = fmt::format("{} {} {}", ::getpid(), self ? self->start : "0", pid_namespace());
  text.resize(kSignatureBytes - 1, ' ');
  return text + '\n';
}

// Up to three words of digits; anything else in the file is no signature.
std::array<std::string, 3> words_of(std::string_view text) {
  std::array<std::string, 3> words;
  for (auto& word : words) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    const std::size_t length = std::min(text.find_first_not_of("0123456789"), text.size());
    word = text.substr(0, std::min<std::size_t>(length, 20));
    text.remove_prefix(length);
  }
  return words;
}

std::string describe(std::string_view signature) {
  const auto [pid, start, space] = words_of(signature);
  if (pid.empty()) {
    return "a process that did not say which has it; fuser -v on the file names it";
  }
  if (space != pid_namespace()) {
    return fmt::format("a process of another container (pid {} there) has it", pid);
  }
  const auto holder = process(pid);
  if (!holder || holder->start != start) {
    return fmt::format("pid {} had it and is gone; fuser -v on the file names who has it now", pid);
  }
  if (holder->state == 'T' || holder->state == 't') {
    return fmt::format("pid {} ({}) has it and is stopped; kill -CONT {} or end it", pid,
                       holder->name, pid);
  }
  return fmt::format("pid {} ({}, state {}) has it; try again", pid, holder->name, holder->state);
}

// Whole-file lock of the open file description: unlike the older kind it does not end when another
// part of this process closes the same file.
int set_lock(int fd, short type) {
  struct flock whole {};
  whole.l_type = type;
  whole.l_whence = SEEK_SET;
  int done = -1;
  do {
    done = ::fcntl(fd, F_OFD_SETLK, &whole);
  } while (done != 0 && errno == EINTR);
  return done == 0 ? 0 : errno;
}

std::string read_at(int fd, std::size_t offset, std::size_t bytes) {
  std::string text(bytes, '\0');
  const ssize_t got = ::pread(fd, text.data(), bytes, static_cast<off_t>(offset));
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

// Not synced and not checked: nothing but texts of errors and fairness depends on it.
void write_at(int fd, std::size_t offset, std::string_view text) {
  [[maybe_unused]] const ssize_t wrote =
      ::pwrite(fd, text.data(), text.size(), static_cast<off_t>(offset));
}

}  // namespace

WriteTurn::Held::~Held() {
  if (turn_ != nullptr) {
    turn_->end();
  }
}

WriteTurn::WriteTurn(std::filesystem::path path, UniqueFd fd, FileIdentity identity)
    : path_(std::move(path)),
      fd_(std::move(fd)),
      identity_(identity),
      signature_(own_signature()) {}

Result<std::unique_ptr<WriteTurn>> WriteTurn::open(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (fd.get() < 0) {
    const int error = errno;
    if (error != ENOENT) {
      return std::unexpected(os_error(path, "cannot open it", error));
    }
    return fail(Errc::store_damaged,
                fmt::format("{} is missing; stop all that use this store, then create it empty",
                            path.native()));
  }
  const auto identity = identity_of(fd.get());
  if (!identity) {
    return std::unexpected(os_error(path, "cannot look at it", identity.error()));
  }
  return std::unique_ptr<WriteTurn>(new WriteTurn(path, std::move(fd), *identity));
}

Result<WriteTurn::Held> WriteTurn::take(std::chrono::milliseconds wait) {
  const auto deadline = Clock::now() + wait;
  if (!take_among_threads(deadline)) {
    return std::unexpected(busy(wait));
  }
  if (auto taken = take_among_processes(deadline, wait); !taken) {
    end();
    return std::unexpected(taken.error());
  }
  last_taken_ = Clock::now();
  sign();
  return Held(*this);
}

bool WriteTurn::take_among_threads(Time deadline) {
  std::unique_lock lock(mutex_);
  const auto own = threads_.emplace(threads_.end());
  if (ended_.wait_until(lock, deadline, [&] { return own == threads_.begin(); })) {
    return true;
  }
  threads_.erase(own);
  return false;
}

Result<void> WriteTurn::take_among_processes(Time deadline, std::chrono::milliseconds wait) {
  give_way();
  auto pause = kPauseMin;
  for (;;) {
    const int error = set_lock(fd_.get(), F_WRLCK);
    if (error == 0) {
      return {};
    }
    if (error != EAGAIN && error != EACCES) {
      return std::unexpected(os_error(path_, "cannot lock it", error));
    }
    const auto now = Clock::now();
    if (now >= deadline) {
      return std::unexpected(busy(wait));
    }
    const auto since_epoch = now.time_since_epoch().count();
    write_at(fd_.get(), kSignatureBytes, fmt::format("{:{}}", since_epoch, kWaiterBytes));
    // The low digits of the clock spread those who wait.
    const auto jitter = std::chrono::microseconds(since_epoch % pause.count());
    const auto left = std::chrono::ceil<std::chrono::microseconds>(deadline - now);
    std::this_thread::sleep_for(std::min(pause / 2 + jitter, left));
    pause = std::min(2 * pause, kPauseMax);
  }
}

// Without this a process that writes in a loop would have every turn: those who wait look only now
// and then.
void WriteTurn::give_way() const {
  const std::string waiter = read_at(fd_.get(), kSignatureBytes, kWaiterBytes);
  const std::size_t digits = std::min(waiter.find_first_not_of(' '), waiter.size());
  Clock::rep waited = 0;
  std::from_chars(waiter.data() + digits, waiter.data() + waiter.size(), waited);
  if (waited <= last_taken_.time_since_epoch().count()) {
    return;
  }
  const auto end = Clock::now() + kGiveWay;
  while (signed_by_us() && Clock::now() < end) {
    std::this_thread::sleep_for(kGiveWayStep);
  }
}

bool WriteTurn::signed_by_us() const {
  return read_at(fd_.get(), 0, kSignatureBytes) == signature_;
}

void WriteTurn::sign() const {
  if (!signed_by_us()) {
    write_at(fd_.get(), 0, signature_);
  }
}

Error WriteTurn::busy(std::chrono::milliseconds wait) const {
  const std::string signature = read_at(fd_.get(), 0, kSignatureBytes);
  return Error{Errc::store_busy, fmt::format("{}: waited {} ms for the turn to write: {}",
                                             path_.native(), wait.count(), describe(signature))};
}

void WriteTurn::end() {
  set_lock(fd_.get(), F_UNLCK);  // explicitly: a forked child may still have the file open
  {
    const std::scoped_lock lock(mutex_);
    threads_.pop_front();
  }
  ended_.notify_all();
}

}  // namespace dexlock
