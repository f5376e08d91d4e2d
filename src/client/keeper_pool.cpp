#include "client/keeper_pool.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>

#include "keeper/keeper_place.hpp"

namespace dexlock {
namespace {

// A keeper answers within microseconds. One that was stopped is not waited for.
constexpr std::chrono::milliseconds kPatience{200};
constexpr int kFirstFd = 3;  // where a keeper finds the command that has started it

class SpawnActions {
 public:
  SpawnActions() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
};

// In a session of its own, with nothing of the caller's but the environment.
void run_apart(const std::string& program, int first) {
  SpawnActions actions;
  sigset_t all{};
  sigset_t none{};
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setflags(
      &actions.attributes,
      static_cast<short>(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK));
  posix_spawnattr_setsigdefault(&actions.attributes, &all);
  posix_spawnattr_setsigmask(&actions.attributes, &none);
  posix_spawn_file_actions_adddup2(&actions.files, first, kFirstFd);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions.files, stream, "/dev/null", O_RDWR, 0);
  }
  posix_spawn_file_actions_addclosefrom_np(&actions.files, kFirstFd + 1);
  posix_spawn_file_actions_addchdir_np(&actions.files, "/");
  std::array<std::string, 3> words{"dex-lock", "keeper", "--started"};
  std::array<char*, 4> argv{words[0].data(), words[1].data(), words[2].data(), nullptr};
  pid_t pid = -1;
  static_cast<void>(posix_spawn(&pid, program.c_str(), &actions.files, &actions.attributes,
                                argv.data(), environ));
}

}  // namespace

KeeperPool::KeeperPool(KeeperUse use, std::filesystem::path directory)
    : use_(std::move(use)), directory_(std::move(directory)) {}

KeeperPool::~KeeperPool() {
  if (state_ == State::absent && !left_.empty()) {
    start_keeper();
  }
}

std::optional<KeptConnection> KeeperPool::take(const std::string& key) {
  call();
  if (!is_greeted() || !send_message(socket_.get(), "take " + key)) {
    return std::nullopt;
  }
  KeeperMessage message;
  if (!hear(message)) {
    return std::nullopt;
  }
  auto kept = parse_kept("kept", std::move(message));
  return kept && kept->key == key ? std::optional(std::move(kept->connection)) : std::nullopt;
}

void KeeperPool::keep(const std::string& key, KeptConnection connection) {
  call();
  if (state_ == State::absent) {
    left_.emplace_back(key, std::move(connection));
  } else if (is_greeted() && send_kept(socket_.get(), "keep", key, connection)) {
    connection.process.reset();  // the keeper's to end
  }
}

void KeeperPool::call() {
  if (state_ != State::untried) {
    return;
  }
  socket_ = call_keeper(directory_);
  state_ = socket_.get() < 0 ? State::absent : State::asked;
  if (state_ == State::asked &&
      !send_message(socket_.get(), std::string(kKeeperHello) + use_.version)) {
    give_up("the keeper has no room for another command");
  }
}

bool KeeperPool::is_greeted() {
  if (state_ == State::asked) {
    KeeperMessage message;
    if (hear(message)) {
      state_ = State::in_use;
      if (message.text != std::string(kKeeperHello) + use_.version) {
        give_up("the keeper that runs is of another version; not used, and asked to leave");
      }
    }
  }
  return state_ == State::in_use;
}

bool KeeperPool::hear(KeeperMessage& message) {
  pollfd watched{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&watched, 1, static_cast<int>(kPatience.count())) != 1) {
    give_up("the keeper does not answer; not used");
    return false;
  }
  if (receive_message(socket_.get(), message) != Received::message) {
    give_up("the keeper has ended; not used");
    return false;
  }
  return true;
}

void KeeperPool::give_up(std::string why) {
  state_ = State::unfit;
  note_ = std::move(why);
  socket_.reset();
}

// It may come second to another one that was started at the same moment: then it ends, and what it
// was given as well.
void KeeperPool::start_keeper() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return;
  }
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  if (theirs.get() <= kFirstFd) {  // the streams of the keeper take these numbers
    theirs = UniqueFd(::fcntl(theirs.get(), F_DUPFD_CLOEXEC, kFirstFd + 1));
  }
  if (!send_message(ours.get(), std::string(kKeeperHello) + use_.version)) {
    return;
  }
  for (auto& [key, connection] : left_) {
    if (send_kept(ours.get(), "keep", key, connection)) {
      connection.process.reset();
    }
  }
  run_apart(use_.program, theirs.get());
}

}  // namespace dexlock
