#include "failover/package_tree.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "process/process_tree.hpp"
#include "system/own_helpers.hpp"
#include "system/small_file.hpp"

namespace dexlock {
namespace {

constexpr std::size_t kEnvironmentBytesMax = 1 << 20;

bool has_setting(pid_t pid, const std::string& setting) {
  const auto text = read_small("/proc/" + std::to_string(pid) + "/environ", kEnvironmentBytesMax);
  return text && ('\0' + *text).find('\0' + setting + '\0') != std::string::npos;
}

}  // namespace

PackageTree PackageTree::make() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const auto own = read_own_stat();
  return {
      "DEXLOCK_GUARD=" + std::to_string(::getpid()) + '.' + std::to_string(own ? own->start : 0),
      Cgroup::make(), ::getpid()};
}

PackageTree PackageTree::left_by(std::string mark, std::string group,
                                 std::vector<ProcessStat> heads) {
  return {std::move(mark),
          group.empty() ? std::nullopt : std::optional(Cgroup::at(std::move(group))), 0,
          std::move(heads)};
}

std::vector<ProcessStat> PackageTree::processes() const {
  if (root_ != 0) {
    return processes_below(root_, group(), [] { return OwnHelpers::instance().all(); });
  }
  std::vector<ProcessStat> found = all_processes();
  std::erase_if(found,
                [&](const ProcessStat& process) { return !has_setting(process.pid, mark_); });
  const auto add = [&](const ProcessStat& one) {
    if (std::ranges::find(found, one.pid, &ProcessStat::pid) == found.end()) {
      found.push_back(one);
    }
  };
  for (const pid_t member : group_ ? group_->processes() : std::vector<pid_t>{}) {
    if (const auto stat = read_process_stat(member)) {
      add(*stat);
    }
  }
  for (const ProcessStat& head : heads_) {
    if (const auto stat = read_process_stat(head.pid); stat && stat->start == head.start) {
      add(*stat);
      std::ranges::for_each(processes_below(head.pid, nullptr), add);
    }
  }
  std::erase_if(found, [](const ProcessStat& process) {
    return process.state == 'Z' || process.state == 'X';
  });
  return found;
}

bool PackageTree::kill() const {
  const auto left = processes();
  if (!left.empty()) {
    if (group_) {
      group_->kill();
    }
    signal_each(left, SIGKILL);
  }
  return !left.empty();
}

}  // namespace dexlock
