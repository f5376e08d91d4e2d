#include "failover/job.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "process/environment.hpp"
#include "system/boot_time.hpp"

namespace dexlock {
namespace {

constexpr int kNotFound = 127;
constexpr int kNotExecutable = 126;
constexpr int kSignalled = 128;
constexpr int kReadsMax = 16;

// The child, from fork to exec: nothing here may need a lock that another thread could have held.
[[noreturn]] void become(char* const* words, char* const* environment, int output, int errors,
                         pid_t parent, const std::chrono::nanoseconds* not_after) {
  ::setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const int nothing = ::open("/dev/null", O_RDWR);
  if (::dup2(nothing, STDIN_FILENO) == STDIN_FILENO &&
      ::dup2(output, STDOUT_FILENO) == STDOUT_FILENO &&
      ::dup2(errors < 0 ? nothing : errors, STDERR_FILENO) == STDERR_FILENO) {
    constexpr std::string_view kTooLate = ": too late, the lock may be lost\n";
    if (not_after != nullptr) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    if (not_after != nullptr && (::getppid() != parent || boot_time() >= *not_after)) {
      static_cast<void>(!::write(STDERR_FILENO, words[0], std::strlen(words[0])));
      static_cast<void>(!::write(STDERR_FILENO, kTooLate.data(), kTooLate.size()));
      ::_exit(kNotExecutable);
    }
    ::execvpe(words[0], words, environment);
    const char* why = errno == ENOENT ? ": not found\n" : ": cannot be executed\n";
    static_cast<void>(!::write(STDERR_FILENO, words[0], std::strlen(words[0])));
    static_cast<void>(!::write(STDERR_FILENO, why, std::strlen(why)));
    ::_exit(errno == ENOENT ? kNotFound : kNotExecutable);
  }
  ::_exit(kNotExecutable);
}

}  // namespace

Job::Job(const Step& step, const PackageTree& tree, const std::vector<std::string>& more,
         Children& children, const JobOutput& kept,
         std::optional<std::chrono::nanoseconds> not_after)
    : children_(children), said_max_(kept.bytes_max), deadline_(boot_time() + step.limit) {
  std::array<int, 2> pipe{-1, -1};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
    end_ = StepEnd{.status = kNotExecutable, .output = std::strerror(errno)};
    return;
  }
  output_ = UniqueFd(pipe[0]);
  const UniqueFd its(pipe[1]);
  ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
  std::vector<std::string> words = step.words;
  std::vector<std::string> settings = step.settings;
  settings.insert(settings.end(), more.begin(), more.end());
  settings.push_back(tree.mark());
  const std::vector<char*> arguments = pointers(words);
  const std::vector<char*> environment = environment_with(settings);
  const pid_t parent = ::getpid();
  bool outside = true;
  pid_ = tree.group() != nullptr ? tree.group()->fork(outside) : ::fork();
  if (pid_ == 0) {
    if (outside && tree.group() != nullptr) {
      static_cast<void>(tree.group()->enter());
    }
    become(arguments.data(), environment.data(), its.get(), kept.complaints ? its.get() : -1,
           parent, not_after ? &*not_after : nullptr);
  }
  if (pid_ < 0) {
    end_ = StepEnd{.status = kNotExecutable, .output = std::strerror(errno)};
    return;
  }
  children_.expect(pid_);
  ::setpgid(pid_, pid_);  // on both sides: whoever comes first
  handle_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

Job::~Job() {
  if (!end_) {
    ::kill(-pid_, SIGKILL);
  }
  children_.forget(pid_);
}

void Job::read_output() {
  std::array<char, 4096> bytes{};
  // Who writes faster than this reads must not keep it from looking at the time.
  for (int reads = 0; reads < kReadsMax && output_.get() >= 0; ++reads) {
    const ssize_t got = ::read(output_.get(), bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got == 0) {
      output_.reset();
    }
    if (got <= 0) {
      return;
    }
    said_.append(bytes.data(), static_cast<std::size_t>(got));
    if (said_.size() > said_max_) {
      said_.erase(0, said_.size() - said_max_);
    }
  }
}

std::optional<StepEnd> Job::ended() {
  if (!end_) {
    look();
  }
  return end_;
}

void Job::look() {
  read_output();
  if (const auto status = children_.status_of(pid_)) {
    read_output();
    end_ = StepEnd{
        .status = WIFSIGNALED(*status) ? kSignalled + WTERMSIG(*status) : WEXITSTATUS(*status),
        .output = said_};
  } else if (boot_time() >= deadline_) {
    ::kill(-pid_, SIGKILL);  // it may take its time to die: nobody waits for that
    end_ = StepEnd{.timed_out = true, .status = kSignalled + SIGKILL, .output = said_};
  }
  if (end_) {
    handle_.reset();
  }
}

}  // namespace dexlock
