#include "cli/guarded_process.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <utility>

#include "cli/terminal.hpp"

namespace dexlock {
namespace {

constexpr std::chrono::milliseconds kAtOnce{0};
constexpr int kKillPollMs = 5;  // while what was killed has not vanished yet

// It began with this setting in its environment.
bool began_with(const ProcessStat& process, const std::string& setting) {
  std::ifstream file("/proc/" + std::to_string(process.pid) + "/environ", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return ('\0' + text).find('\0' + setting + '\0') != std::string::npos;
}

// Of a command whose sentinel is dead: what is this process's now, among others.
std::vector<ProcessStat> orphans_of(const std::string& mark, const Cgroup* group) {
  std::vector<ProcessStat> left = processes_below(::getpid(), group);
  const auto members = group != nullptr ? group->processes() : std::vector<pid_t>{};
  std::erase_if(left, [&](const ProcessStat& process) {
    return !began_with(process, mark) && std::ranges::find(members, process.pid) == members.end();
  });
  return left;
}

// The sentinel was killed before it could tell whether it had started the command. That ends with
// it; what it has started meanwhile ends here.
void end_orphans(const GuardedProcess::Start& what, std::chrono::nanoseconds deadline) {
  while (boot_time() < deadline) {
    const auto left = orphans_of(what.settings.front(), what.group);
    if (left.empty()) {
      return;
    }
    signal_each(left, SIGKILL);
    ::poll(nullptr, 0, kKillPollMs);
  }
}

// Why a dead sentinel starts nothing.
bool is_end_of_sentinel(int error) { return error == EPIPE || error == ECONNRESET; }

}  // namespace

std::expected<GuardedProcess, GuardedProcess::NotRun> GuardedProcess::start(
    const Start& what, std::chrono::nanoseconds deadline) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // heir of what the sentinel might leave
  const bool foreground = in_foreground();
  Sentinel& sentinel = what.sentinel;
  sentinel.start(what.program, what.settings, foreground, deadline);
  const auto patience = std::chrono::ceil<std::chrono::milliseconds>(deadline - boot_time());
  const auto news = sentinel.next(std::max(patience, std::chrono::milliseconds(1)));
  if (news && news->kind == Sentinel::News::Kind::started) {
    return GuardedProcess(what, news->pid, foreground);
  }
  if (foreground) {
    set_foreground(::getpgrp());
  }
  if (!news) {
    sentinel.kill();
    return std::unexpected(NotRun{ETIME});
  }
  if (news->kind != Sentinel::News::Kind::not_run || is_end_of_sentinel(news->value)) {
    end_orphans(what, deadline);
    return std::unexpected(NotRun{ECHILD});
  }
  return std::unexpected(NotRun{news->value});
}

// Below the sentinel all is the command's. Once that is dead, so is the command.
std::vector<ProcessStat> GuardedProcess::all() const {
  if (sentinel_.alive()) {
    return processes_below(sentinel_.pid(), group_);
  }
  return orphans_of(mark_, group_);
}

void GuardedProcess::signal_all(int signal) const {
  if (signal == SIGKILL && group_ != nullptr) {
    group_->kill();
  }
  ::kill(-pid_, signal);
  std::vector<ProcessStat> elsewhere = all();
  std::erase_if(elsewhere,
                [&](const ProcessStat& process) { return ::getpgid(process.pid) == pid_; });
  signal_each(elsewhere, signal);
  ::kill(-pid_, SIGCONT);  // a stopped process acts on no signal
  signal_each(elsewhere, SIGCONT);
}

bool GuardedProcess::reap() {
  while (!ended()) {
    const auto news = sentinel_.next(kAtOnce);
    if (!news) {
      break;
    }
    if (news->kind == Sentinel::News::Kind::stopped) {
      // SIGSTOP is no key that somebody pressed at a shell. Whoever sent it may have stopped us as
      // well, and may let the command go on after us: it must not run while we are stopped.
      stopped_ = news->value != SIGSTOP;
    } else if (news->kind == Sentinel::News::Kind::ended) {
      status_ = news->value;
      ended_at_ = news->at;
      overdue_ = news->overdue;
    }
  }
  return ended();
}

bool GuardedProcess::take_stopped() { return std::exchange(stopped_, false); }

bool GuardedProcess::anything_left() const {
  while (unguarded() && ::waitpid(-pid_, nullptr, WNOHANG) > 0) {  // now children of this process
  }
  return ::kill(-pid_, 0) == 0 || errno == EPERM || !all().empty();
}

void GuardedProcess::give_terminal() const {
  if (foreground_) {
    set_foreground(pid_);
  }
}

void GuardedProcess::take_terminal() const {
  if (foreground_) {
    set_foreground(::getpgrp());
  }
}

}  // namespace dexlock
