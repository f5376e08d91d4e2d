#include "transport/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>

#include "system/own_helpers.hpp"

namespace dexlock {

namespace {

// The C library's header of these two calls does not serve C++ before glibc 2.37.
int open_pidfd(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }
void signal_pidfd(int pidfd, int signal) {
  ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0);
}

id_t id_of(int pidfd) { return static_cast<id_t>(pidfd); }

// The status of a child that has ended, reaping it; nothing while it runs.
std::optional<ChildStatus> reap_now(int pidfd) {
  siginfo_t info{};
  int rc = 0;
  do {
    rc = ::waitid(P_PIDFD, id_of(pidfd), &info, WEXITED | WNOHANG);
  } while (rc != 0 && errno == EINTR);
  if (rc != 0) {
    return ChildStatus{};  // ECHILD: the program ignores SIGCHLD, or reaps every child itself
  }
  if (info.si_pid == 0) {
    return std::nullopt;
  }
  if (info.si_code == CLD_EXITED) {
    return ChildStatus{.exit_status = info.si_status};
  }
  return ChildStatus{.signal = info.si_status};
}

// Children that were killed but had not yet ended when their owner went.
class Unreaped {
 public:
  static Unreaped& instance() {
    static auto* const unreaped = new Unreaped;  // never destroyed: owners may go at program end
    return *unreaped;
  }
  void add(UniqueFd pidfd) {
    const std::lock_guard lock(mutex_);
    pidfds_.push_back(std::move(pidfd));
  }
  void sweep() {
    const std::lock_guard lock(mutex_);
    std::erase_if(pidfds_, [](const UniqueFd& fd) { return reap_now(fd.get()).has_value(); });
  }

 private:
  std::mutex mutex_;
  std::vector<UniqueFd> pidfds_;
};

// A caller may run with 0, 1 or 2 closed. Then a new descriptor could land there, be taken for the
// caller's own standard stream, and be overwritten while the child's streams are put in place.
bool lift_above_standard(UniqueFd& fd) {
  if (fd.get() >= 0 && fd.get() <= STDERR_FILENO) {
    fd = UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  }
  return fd.get() >= 0;
}

bool set_non_blocking(const UniqueFd& fd) {
  const int flags = ::fcntl(fd.get(), F_GETFL);
  return flags >= 0 && ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) == 0;
}

struct Pair {
  UniqueFd ours;
  UniqueFd childs;

  bool prepare() {
    return lift_above_standard(ours) && lift_above_standard(childs) && set_non_blocking(ours);
  }
};

bool open_socket(Pair& pair) {
  int fds[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    return false;
  }
  pair = Pair{UniqueFd(fds[0]), UniqueFd(fds[1])};
  return pair.prepare();
}

bool open_pipe(Pair& pair) {
  int fds[2] = {-1, -1};
  if (::pipe2(fds, O_CLOEXEC) != 0) {
    return false;
  }
  pair = Pair{UniqueFd(fds[0]), UniqueFd(fds[1])};
  return pair.prepare();
}

// posix_spawn's two attribute objects, released together.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  // 0 or an errno.
  int fill(const Pair& in, const Pair& out, const Pair& err) {
    sigset_t all{};
    sigset_t none{};
    sigfillset(&all);
    sigemptyset(&none);
    const short flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    const int results[] = {
        posix_spawnattr_setflags(&attributes_, flags),
        posix_spawnattr_setsigdefault(&attributes_, &all),
        posix_spawnattr_setsigmask(&attributes_, &none),
        posix_spawn_file_actions_adddup2(&actions_, in.childs.get(), STDIN_FILENO),
        posix_spawn_file_actions_adddup2(&actions_, out.childs.get(), STDOUT_FILENO),
        posix_spawn_file_actions_adddup2(&actions_, err.childs.get(), STDERR_FILENO),
        // The rest of the program may have descriptors without close-on-exec. One of them could be
        // a flock, which a long-lived child would then hold on to.
        posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1),
    };
    for (const int result : results) {
      if (result != 0) {
        return result;
      }
    }
    return 0;
  }

  int spawn(pid_t& pid, const std::vector<std::string>& argv) {
    std::vector<char*> words;
    words.reserve(argv.size() + 1);
    for (const std::string& word : argv) {
      words.push_back(const_cast<char*>(word.c_str()));  // posix_spawn does not write to them
    }
    words.push_back(nullptr);
    return posix_spawnp(&pid, words[0], &actions_, &attributes_, words.data(), environ);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

std::unexpected<Error> cannot_run(const std::string& program, int error) {
  const char* const reason = ::strerrordesc_np(error);
  if (error == ENOENT || error == EACCES || error == ENOEXEC || error == ENOTDIR) {
    return fail(
        Errc::bad_config,
        fmt::format("cannot run '{}': {}; install it, or correct its name", program, reason));
  }
  return fail(Errc::io, fmt::format("cannot start '{}': {}; free processes, memory or descriptors",
                                    program, reason));
}

Result<void> check_words(const std::vector<std::string>& argv) {
  if (argv.empty() || argv.front().empty()) {
    return fail(Errc::bad_argument, "no program to run was given; name one");
  }
  for (const std::string& word : argv) {
    if (word.find('\0') != std::string::npos) {
      return fail(Errc::bad_argument,
                  "a word of the command to run contains a NUL byte; remove the byte");
    }
  }
  return {};
}

}  // namespace

Result<ChildProcess::Started> ChildProcess::start(const std::vector<std::string>& argv) {
  Unreaped::instance().sweep();
  if (auto checked = check_words(argv); !checked) {
    return std::unexpected(checked.error());
  }
  Pair in;
  Pair out;
  Pair err;
  if (!open_socket(in) || !open_pipe(out) || !open_pipe(err)) {
    return cannot_run(argv[0], errno == EACCES ? EMFILE : errno);
  }
  SpawnPlan plan;
  pid_t pid = -1;
  if (const int error = plan.fill(in, out, err); error != 0) {
    return cannot_run(argv[0], error);
  }
  int not_spawned = 0;
  OwnHelpers::instance().add_started([&] {
    not_spawned = plan.spawn(pid, argv);
    return not_spawned == 0 ? pid : -1;
  });
  if (not_spawned != 0) {
    return cannot_run(argv[0], not_spawned);
  }
  UniqueFd pidfd(open_pidfd(pid));
  if (pidfd.get() < 0 || !lift_above_standard(pidfd)) {
    // Out of descriptors: the one place that waits, for a child that has just been killed.
    const int error = errno;
    ::kill(-pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    OwnHelpers::instance().remove(pid);
    return cannot_run(argv[0], error);
  }
  return Started{
      ChildProcess(pid, std::move(pidfd)),
      ChildStreams{std::move(in.ours), std::move(out.ours), std::move(err.ours)},
  };
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      status_(std::exchange(other.status_, std::nullopt)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    abandon();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
    status_ = std::exchange(other.status_, std::nullopt);
  }
  return *this;
}

ChildProcess::~ChildProcess() { abandon(); }

UniqueFd ChildProcess::let_go() {
  OwnHelpers::instance().remove(pid_);
  pid_ = -1;
  return std::move(pidfd_);
}

void ChildProcess::abandon() {
  if (pid_ == 0 && pidfd_.get() >= 0) {
    kill_group();
  }
  if (pid_ <= 0) {
    return;
  }
  kill_group();
  OwnHelpers::instance().remove(pid_);
  if (!reap()) {
    Unreaped::instance().add(std::move(pidfd_));
  }
  Unreaped::instance().sweep();
}

void ChildProcess::kill_group() {
  if (pid_ == 0 && pidfd_.get() >= 0) {
    signal_pidfd(pidfd_.get(), SIGKILL);
  }
  if (pid_ <= 0 || status_) {
    return;
  }
  siginfo_t info{};
  if (::waitid(P_PIDFD, id_of(pidfd_.get()), &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
    return;  // reaped by somebody else: the number may belong to a stranger by now
  }
  ::kill(-pid_, SIGKILL);
  signal_pidfd(pidfd_.get(), SIGKILL);  // in case it changed its group
}

std::optional<ChildStatus> ChildProcess::reap() {
  if (!status_ && pidfd_.get() >= 0) {
    status_ = reap_now(pidfd_.get());
    if (status_) {
      OwnHelpers::instance().remove(pid_);
    }
  }
  return status_;
}

}  // namespace dexlock
