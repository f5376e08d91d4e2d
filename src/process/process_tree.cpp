#include "process/process_tree.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>

#include "system/unique_fd.hpp"

namespace dexlock {
namespace {

std::map<pid_t, std::vector<ProcessStat>> all_by_parent() {
  std::map<pid_t, std::vector<ProcessStat>> found;
  for (ProcessStat& stat : all_processes()) {
    found[stat.parent].push_back(std::move(stat));
  }
  return found;
}

// The first thread of a process may have ended before the others.
bool has_other_threads(pid_t pid) {
  std::error_code error;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (std::filesystem::directory_iterator at(tasks, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().filename() != std::to_string(pid)) {
      return true;
    }
  }
  return false;
}

bool has_ended(const ProcessStat& process) {
  const bool zombie = process.state == 'Z' || process.state == 'X';
  return zombie && !has_other_threads(process.pid);
}

}  // namespace

std::vector<ProcessStat> all_processes() {
  std::vector<ProcessStat> found;
  std::error_code error;
  for (std::filesystem::directory_iterator at("/proc", error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename();
    pid_t pid = 0;
    const auto [stop, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (bad != std::errc() || stop != name.data() + name.size()) {
      continue;
    }
    if (auto stat = read_process_stat(pid)) {
      found.push_back(std::move(*stat));
    }
  }
  return found;
}

std::vector<ProcessStat> processes_below(pid_t root, const Cgroup* group,
                                         const std::function<std::set<pid_t>()>& to_spare) {
  const auto all = all_by_parent();
  const std::set<pid_t> spared = to_spare ? to_spare() : std::set<pid_t>{};
  std::vector<ProcessStat> below;
  std::vector<pid_t> parents{root};
  while (!parents.empty()) {
    const auto children = all.find(parents.back());
    parents.pop_back();
    if (children == all.end()) {
      continue;
    }
    for (const ProcessStat& child : children->second) {
      if (child.parent == root && spared.contains(child.pid)) {
        continue;
      }
      parents.push_back(child.pid);
      if (!has_ended(child)) {
        below.push_back(child);
      }
    }
  }
  for (const pid_t member : group != nullptr ? group->processes() : std::vector<pid_t>{}) {
    const auto stat = read_process_stat(member);
    if (stat && !has_ended(*stat) &&
        std::ranges::find(below, member, &ProcessStat::pid) == below.end()) {
      below.push_back(*stat);
    }
  }
  return below;
}

void signal_each(const std::vector<ProcessStat>& processes, int signal) {
  for (const ProcessStat& process : processes) {
    const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
    const auto now = read_process_stat(process.pid);
    if (handle.get() >= 0 && now && now->start == process.start) {
      ::syscall(SYS_pidfd_send_signal, handle.get(), signal, nullptr, 0);
    }
  }
}

}  // namespace dexlock
