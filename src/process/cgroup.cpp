#include "process/cgroup.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <utility>

#include "process/process_stat.hpp"
#include "system/small_file.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kPrefix = "dex-lock.";
constexpr std::chrono::minutes kOld{10};

void write_to(const char* path, std::string_view text) {
  const UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
  static_cast<void>(!::write(file.get(), text.data(), text.size()));
}

// The first line of a file of this process that `fits`, without its end.
template <class Fits>
std::optional<std::string> line_of(const char* path, const Fits& fits) {
  constexpr std::size_t kBytesMax = 1U << 20U;
  const std::string text = read_small(path, kBytesMax).value_or("");
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    const std::string_view line = std::string_view(text).substr(from, end - from);
    if (fits(line)) {
      return std::string(line);
    }
    from = end + 1;
  }
  return std::nullopt;
}

// Mostly it is one of two. In a line of /proc/self/mountinfo, which the kernel takes its time to
// write, the mount point is the fifth field, and the type of file system stands behind " - ".
std::optional<std::string> mount_point() {
  for (const char* usual : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    struct statfs facts {};
    if (::statfs(usual, &facts) == 0 && facts.f_type == CGROUP2_SUPER_MAGIC) {
      return usual;
    }
  }
  const auto line = line_of("/proc/self/mountinfo",
                            [](std::string_view text) { return text.contains(" - cgroup2 "); });
  if (!line) {
    return std::nullopt;
  }
  std::size_t at = 0;
  for (int field = 0; field < 4; ++field) {
    at = line->find(' ', at) + 1;
  }
  return line->substr(at, line->find(' ', at) - at);
}

// The line of cgroup v2 is "0::PATH".
std::optional<std::string> own_group() {
  const auto line =
      line_of("/proc/self/cgroup", [](std::string_view text) { return text.starts_with("0::/"); });
  return line ? std::optional(line->substr(3)) : std::nullopt;
}

// With those inside it, of runs under a run, if all are empty.
void remove_group(const std::filesystem::path& group) {
  if (::rmdir(group.c_str()) == 0) {
    return;
  }
  std::error_code error;
  for (std::filesystem::directory_iterator at(group, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().filename().native().starts_with(kPrefix)) {
      remove_group(at->path());
    }
  }
  ::rmdir(group.c_str());
}

// Those of killed ones. The kernel removes none with a process in it. A young one may be proof for
// a waiter that its maker's work has ended.
void remove_left(const std::string& parent) {
  std::error_code error;
  for (std::filesystem::directory_iterator at(parent, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename();
    if (!name.starts_with(kPrefix)) {
      continue;
    }
    const pid_t maker = static_cast<pid_t>(std::strtol(name.c_str() + kPrefix.size(), nullptr, 10));
    std::error_code ignored;
    const auto age = std::filesystem::file_time_type::clock::now() - at->last_write_time(ignored);
    if (!ignored && age > kOld && !read_process_stat(maker)) {
      remove_group(at->path());
    }
  }
}

}  // namespace

Cgroup Cgroup::at(std::string path) { return {std::move(path), 0}; }

Cgroup::Cgroup(Cgroup&& other) noexcept
    : maker_(std::exchange(other.maker_, 0)),
      killed_(other.killed_.load()),
      path_(std::move(other.path_)) {}

std::optional<Cgroup> Cgroup::make() {
  const auto mounted = mount_point();
  const auto group = own_group();
  if (!mounted || !group) {
    return std::nullopt;
  }
  const std::string parent = *mounted + (*group == "/" ? "" : *group);
  remove_left(parent);
  std::string path = parent + '/' + std::string(kPrefix) + std::to_string(::getpid());
  if (::mkdir(path.c_str(), 0755) != 0) {
    return std::nullopt;
  }
  return Cgroup(std::move(path), ::getpid());
}

Cgroup::~Cgroup() {
  if (maker_ == ::getpid()) {
    remove_group(path_);
  }
}

// Born there: to move a process costs milliseconds.
pid_t Cgroup::fork(bool& outside) const {
  outside = killed_;
  if (outside) {
    return ::fork();
  }
  const UniqueFd group(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  clone_args how{};
  how.flags = CLONE_INTO_CGROUP;
  how.exit_signal = SIGCHLD;
  how.cgroup = static_cast<__u64>(group.get());
  const long pid = group.get() < 0 ? -1 : ::syscall(SYS_clone3, &how, sizeof how);
  outside = pid < 0;
  return outside ? ::fork() : static_cast<pid_t>(pid);
}

bool Cgroup::enter() const {
  const UniqueFd file(::open((path_ + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  return ::write(file.get(), "0", 1) == 1;
}

void Cgroup::kill() const {
  killed_ = true;
  write_to((path_ + "/cgroup.kill").c_str(), "1");
}

std::vector<pid_t> Cgroup::processes() const {
  std::vector<pid_t> found;
  std::ifstream file(path_ + "/cgroup.procs");
  for (pid_t pid = 0; file >> pid;) {
    if (pid > 0) {
      found.push_back(pid);  // 0: of another pid namespace
    }
  }
  return found;
}

}  // namespace dexlock
