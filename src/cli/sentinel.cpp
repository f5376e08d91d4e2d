#include "cli/sentinel.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "cli/terminal.hpp"
#include "process/environment.hpp"
#include "process/process_tree.hpp"

namespace dexlock {
namespace {

constexpr int kExecFailed = 127;
constexpr int kKillPollMs = 5;  // while what was killed has not vanished yet

constexpr std::chrono::milliseconds kGoneLimit{5'000};  // it has nothing to do then but to end

// What `run` says: to start; to let go; when to end all.
constexpr char kStartInBackground = 'b';  // and the deadline, which program, a letter, and settings
constexpr char kStartInForeground = 'f';
constexpr char kFirstProgram = 'A';
constexpr char kLetGo = 'l';
constexpr char kDeadline = 'd';  // and nanoseconds, as they lie in memory
constexpr std::size_t kDeadlineAt = 1;
constexpr std::size_t kProgramAt = kDeadlineAt + sizeof(std::int64_t);

// The process itself.
class Watch {
 public:
  Watch(int socket, std::vector<Sentinel::Program> programs, const Cgroup* group)
      : socket_(socket), group_(group), programs_(std::move(programs)) {
    ::setpgid(0, 0);  // no signal to the group of `run` is for it
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::signal(SIGCHLD, SIG_DFL);  // some start their jobs with it ignored
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    ended_ = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    deadline_ = ::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  }

  [[noreturn]] void go_on() {
    while (true) {
      const short hear_and_tell = unsent_ ? POLLIN | POLLOUT : POLLIN;
      std::array<pollfd, 3> watched{pollfd{socket_, hear_and_tell, 0}, pollfd{ended_, POLLIN, 0},
                                    pollfd{deadline_, POLLIN, 0}};
      ::poll(watched.data(), watched.size(), -1);
      signalfd_siginfo ignored{};
      while (::read(ended_, &ignored, sizeof ignored) > 0) {
      }
      if (unsent_ && (watched[0].revents & POLLOUT) != 0) {
        tell(*std::exchange(unsent_, std::nullopt));
      }
      // What has been put off is heard first.
      if ((watched[0].revents & ~POLLOUT) != 0) {
        hear();
      } else if (watched[2].revents != 0 && is_over()) {
        kill_all();
        overdue_ = true;
      }
      reap();
    }
  }

 private:
  void hear() {
    const ssize_t size = ::recv(socket_, nullptr, 0, MSG_PEEK | MSG_TRUNC);
    if (size < 0 && errno == EINTR) {
      return;
    }
    std::string said(static_cast<std::size_t>(std::max<ssize_t>(size, 0)), '\0');
    if (size <= 0 || ::recv(socket_, said.data(), said.size(), 0) != size) {
      kill_all();
      ::_exit(0);
    }
    if (said.front() == kLetGo) {
      ::_exit(0);
    }
    set_deadline(said);
    if (said.front() == kDeadline) {
      return;
    }
    std::vector<std::string> settings;
    for (std::size_t at = kProgramAt + 1; at < said.size(); at += settings.back().size() + 1) {
      settings.emplace_back(said.c_str() + at);
    }
    start(programs_[static_cast<std::size_t>(said[kProgramAt] - kFirstProgram)], settings,
          said.front() == kStartInForeground);
  }

  void set_deadline(const std::string& said) {
    std::int64_t at = 0;
    std::memcpy(&at, said.data() + kDeadlineAt, std::min(sizeof at, said.size() - kDeadlineAt));
    constexpr std::int64_t kSecond = 1'000'000'000;
    const itimerspec spec{.it_interval = {},
                          .it_value = {.tv_sec = at / kSecond, .tv_nsec = at % kSecond}};
    latest_ = std::chrono::nanoseconds(at);
    ::timerfd_settime(deadline_, TFD_TIMER_ABSTIME, &spec, nullptr);
  }

  [[nodiscard]] bool is_over() const {
    std::uint64_t times = 0;
    return ::read(deadline_, &times, sizeof times) == sizeof times;
  }

  void start(Sentinel::Program& program, std::vector<std::string>& settings, bool foreground) {
    overdue_ = false;
    if (boot_time() >= latest_) {  // it, or `run`, was stopped meanwhile
      tell({Sentinel::News::Kind::not_run, 0, ETIME, {}});
      return;
    }
    std::array<int, 2> report{};
    if (::pipe2(report.data(), O_CLOEXEC) != 0) {
      tell({Sentinel::News::Kind::not_run, 0, errno, {}});
      return;
    }
    const std::vector<char*> environment = environment_with(settings);
    const std::vector<char*> arguments = pointers(program);
    const pid_t me = ::getpid();
    bool outside = false;
    const pid_t pid = group_ != nullptr ? group_->fork(outside) : ::fork();
    if (pid == 0) {
      // Others go by the group: nothing of the command may run elsewhere.
      if (outside && !group_->enter()) {
        refuse(report[1]);
      }
      become(arguments.data(), environment.data(), me, foreground, report[1]);
    }
    const int fork_error = errno;
    ::close(report[1]);
    int error = pid < 0 ? fork_error : 0;
    if (pid > 0) {
      ::setpgid(pid, pid);  // on both sides: whoever comes first
      int told = 0;
      ssize_t got = 0;
      while ((got = ::read(report[0], &told, sizeof told)) < 0 && errno == EINTR) {
      }
      error = got == sizeof told ? told : 0;
    }
    ::close(report[0]);
    if (error != 0) {
      if (pid > 0) {
        ::waitpid(pid, nullptr, 0);
      }
      tell({Sentinel::News::Kind::not_run, 0, error, {}});
      return;
    }
    command_pid_ = pid;
    tell({Sentinel::News::Kind::started, pid, 0, {}});
  }

  [[noreturn]] static void become(char* const* command, char* const* environment, pid_t sentinel,
                                  bool foreground, int report) {
    ::setpgid(0, 0);
    if (foreground) {
      set_foreground(::getpid());
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != sentinel) {
      ::_exit(kExecFailed);  // it died before the line above
    }
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execvpe(command[0], command, environment);
    refuse(report);
  }

  [[noreturn]] static void refuse(int report) {
    const int error = errno;
    static_cast<void>(!::write(report, &error, sizeof error));
    ::_exit(kExecFailed);
  }

  void reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0;) {
      if (pid != command_pid_) {
        continue;
      }
      if (WIFSTOPPED(status)) {
        tell({Sentinel::News::Kind::stopped, pid, WSTOPSIG(status), boot_time()});
      } else {
        tell({Sentinel::News::Kind::ended, pid, status, boot_time(), overdue_});
      }
    }
  }

  // `run` may be stopped and read nothing: that the command has stopped is forgotten then, not that
  // it has ended.
  void tell(const Sentinel::News& news) {
    const bool sent = ::send(socket_, &news, sizeof news, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
    const bool waits = !sent && errno == EAGAIN && news.kind != Sentinel::News::Kind::stopped;
    unsent_ = waits ? std::optional(news) : std::nullopt;
  }

  // What is killed may have started something meanwhile. That the command has ended is told when
  // nothing is left.
  void kill_all() const {
    // Looked at twice: a process may have got a number that one look had passed already.
    for (int empty = 0; empty < 2;) {
      const auto left = below();
      if (left.empty()) {
        ++empty;
        continue;
      }
      empty = 0;
      if (group_ != nullptr) {
        group_->kill();
      }
      signal_each(left, SIGKILL);
      ::poll(nullptr, 0, kKillPollMs);
    }
  }

  [[nodiscard]] std::vector<ProcessStat> below() const {
    return processes_below(::getpid(), group_);
  }

  int socket_;
  const Cgroup* group_;
  int ended_ = -1;
  int deadline_ = -1;
  std::chrono::nanoseconds latest_{};  // the deadline; none: nothing may be started
  bool overdue_ = false;
  std::optional<Sentinel::News> unsent_;
  std::vector<Sentinel::Program> programs_;
  pid_t command_pid_ = 0;
};

std::string with_deadline(char what, std::chrono::nanoseconds deadline) {
  const std::int64_t at = deadline.count();
  std::string said(kProgramAt, what);
  std::memcpy(said.data() + kDeadlineAt, &at, sizeof at);
  return said;
}

}  // namespace

Result<Sentinel> Sentinel::begin(std::vector<Program> programs, const Cgroup* group) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(Errc::io, std::string("cannot guard a command: ") + std::strerror(errno));
  }
  UniqueFd ours(ends[0]);
  const UniqueFd its(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) {
    return fail(Errc::io, std::string("cannot start a process: ") + std::strerror(errno));
  }
  if (pid == 0) {
    ours = UniqueFd();
    Watch(its.get(), std::move(programs), group).go_on();
  }
  return Sentinel(pid, std::move(ours));
}

void Sentinel::end() {
  if (socket_.get() < 0) {
    return;
  }
  if (!alive_) {  // and waited for: its pid may be another's
    socket_ = UniqueFd();
    return;
  }
  if (let_go_) {
    if (!ends_within(kGoneLimit)) {
      kill();
    }
  } else {
    ::kill(pid_, SIGCONT);
  }
  socket_ = UniqueFd();
  wait_for_end();
}

void Sentinel::go_on() const {
  if (const auto stat = read_process_stat(pid_); stat && (stat->state == 'T')) {
    ::kill(pid_, SIGCONT);
  }
}

void Sentinel::wait_for_end() const {
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void Sentinel::start(std::size_t program, const std::vector<std::string>& settings, bool foreground,
                     std::chrono::nanoseconds deadline) {
  std::string text = with_deadline(foreground ? kStartInForeground : kStartInBackground, deadline);
  text += static_cast<char>(kFirstProgram + static_cast<char>(program));
  for (const std::string& setting : settings) {
    text += setting;
    text += '\0';
  }
  if (::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) {
    refused_ = errno;
  } else {
    deadline_ = deadline;
  }
}

void Sentinel::set_deadline(std::chrono::nanoseconds deadline) {
  constexpr std::chrono::milliseconds kWorthSaying{1};  // two clocks are read for it, so it jitters
  if (deadline - deadline_ < kWorthSaying && deadline_ - deadline < kWorthSaying) {
    return;
  }
  const std::string said = with_deadline(kDeadline, deadline);
  // One that is dead or stopped does not take it.
  if (::send(socket_.get(), said.data(), said.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
    deadline_ = deadline;
  }
}

std::optional<Sentinel::News> Sentinel::next(std::chrono::milliseconds wait) {
  if (const int why = std::exchange(refused_, 0); why != 0) {
    return News{.kind = News::Kind::not_run, .pid = 0, .value = why, .at = {}};
  }
  pollfd heard{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  if (wait.count() > 0) {
    constexpr std::int64_t kLongest = std::numeric_limits<int>::max();  // of a wait that poll takes
    ::poll(&heard, 1, static_cast<int>(std::min<std::int64_t>(wait.count(), kLongest)));
  }
  News news;
  ssize_t got = 0;
  do {
    got = ::recv(socket_.get(), &news, sizeof news, MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) {
    return std::nullopt;
  }
  alive_ = got == sizeof news;
  if (!alive_) {
    wait_for_end();  // only then what it leaves is ours
  }
  return alive_ ? news
                : News{.kind = News::Kind::ended, .pid = 0, .value = SIGKILL, .at = boot_time()};
}

bool Sentinel::ends_within(std::chrono::milliseconds limit) const {
  const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  pollfd end{.fd = handle.get(), .events = POLLIN, .revents = 0};
  return ::poll(&end, 1, static_cast<int>(limit.count())) == 1;
}

void Sentinel::let_go() {
  static_cast<void>(::send(socket_.get(), &kLetGo, 1, MSG_NOSIGNAL | MSG_DONTWAIT));
  let_go_ = true;
}

void Sentinel::kill() { ::kill(pid_, SIGKILL); }

}  // namespace dexlock
