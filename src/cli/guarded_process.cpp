#include "cli/guarded_process.hpp"

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

// It began with this setting in its environment.
bool began_with(const ProcessStat& process, const std::string& setting) {
  std::ifstream file("/proc/" + std::to_string(process.pid) + "/environ", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return ('\0' + text).find('\0' + setting + '\0') != std::string::npos;
}

}  // namespace

std::expected<GuardedProcess, GuardedProcess::NotRun> GuardedProcess::start(
    Sentinel& sentinel, const std::vector<std::string>& settings,
    std::chrono::nanoseconds deadline) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // heir of what the sentinel might leave
  const bool foreground = in_foreground();
  sentinel.set_deadline(deadline);
  sentinel.start(settings, foreground);
  const auto news = sentinel.next(true);
  if (news && news->kind == Sentinel::News::Kind::started) {
    return GuardedProcess(sentinel, news->pid, foreground, settings.front());
  }
  if (foreground) {
    set_foreground(::getpgrp());
  }
  return std::unexpected(
      NotRun{news && news->kind == Sentinel::News::Kind::not_run ? news->value : ECHILD});
}

// Below the sentinel all is the command's. Once that is dead, so is the command, and what was left
// of it is this process's, among others.
std::vector<ProcessStat> GuardedProcess::all() const {
  if (sentinel_.alive()) {
    return processes_below(sentinel_.pid());
  }
  std::vector<ProcessStat> left = processes_below(::getpid());
  std::erase_if(left, [&](const ProcessStat& process) { return !began_with(process, mark_); });
  return left;
}

void GuardedProcess::signal_all(int signal) const {
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
    const auto news = sentinel_.next(false);
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
