#include "store/store_check.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace dexlock {
namespace {

constexpr char kAllRead = 'k';

// Touches every byte, in the child. Whatever goes wrong ends it without the word that all is read.
[[noreturn]] void read_all(LmdbEnv::Txn& txn, int answer) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const struct rlimit no_core {};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ::dup2(null, STDERR_FILENO);  // LMDB prints before it aborts; our error says it better
  for (const int signal : {SIGBUS, SIGSEGV, SIGABRT}) {
    ::signal(signal, SIG_DFL);
  }
  unsigned sum = 0;
  std::string last;
  bool sorted = true;
  const auto done = txn.walk([&](std::string_view key, std::string_view text) {
    sorted = sorted && last < key;
    last = key;
    for (const char c : text) {
      sum += static_cast<unsigned char>(c);
    }
  });
  const volatile unsigned used = sum;  // so that no byte is left out
  static_cast<void>(used);
  if (done && sorted) {
    [[maybe_unused]] const ssize_t wrote = ::write(answer, &kAllRead, 1);
  }
  ::_exit(0);
}

enum class Outcome { all_read, died, too_slow };

Outcome wait_for(pid_t child, int answer) {
  const auto deadline = std::chrono::steady_clock::now() + kCheckTimeMax;
  Outcome outcome = Outcome::too_slow;
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      break;
    }
    struct pollfd ready {
      .fd = answer, .events = POLLIN, .revents = 0
    };
    if (::poll(&ready, 1, static_cast<int>(left.count())) <= 0) {
      continue;
    }
    char word = 0;
    const ssize_t got = ::read(answer, &word, 1);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    outcome = got == 1 && word == kAllRead ? Outcome::all_read : Outcome::died;
    break;
  }
  ::kill(child, SIGKILL);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return outcome;
}

Result<void> check_one(WriteTurn& turn, std::chrono::milliseconds wait, LmdbEnv& env) {
  auto held = turn.take(wait);
  if (!held) {
    return std::unexpected(held.error());
  }
  env.drop_dead_readers();
  auto txn = env.begin_read();
  if (!txn) {
    return std::unexpected(txn.error());
  }
  { const WriteTurn::Held ended = std::move(*held); }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return std::unexpected(os_error(env.data_file(), "cannot make a pipe", errno));
  }
  const UniqueFd answer(ends[0]);
  UniqueFd child_end(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    read_all(*txn, child_end.get());
  }
  if (child < 0) {
    return std::unexpected(os_error(env.data_file(), "cannot start a process", errno));
  }
  { const UniqueFd closed = std::move(child_end); }
  switch (wait_for(child, answer.get())) {
    case Outcome::all_read:
      return {};
    case Outcome::too_slow:
      return fail(Errc::io, fmt::format("{}: reading it took over {} minutes; check the disk",
                                        env.data_file().native(), kCheckTimeMax.count()));
    case Outcome::died:
      break;
  }
  return fail(Errc::store_damaged,
              fmt::format("{} cannot be read to its end; this store must not be used again, remove "
                          "its directory and replace this lock server",
                          env.data_file().native()));
}

}  // namespace

Result<void> check_readable(WriteTurn& turn, std::chrono::milliseconds wait,
                            const std::vector<LmdbEnv*>& envs) {
  for (LmdbEnv* env : envs) {
    if (auto done = check_one(turn, wait, *env); !done) {
      return done;
    }
  }
  return {};
}

}  // namespace dexlock
