#include "failover/guard_trace.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <system_error>

#include "lock/fields.hpp"
#include "process/process_tree.hpp"
#include "system/small_file.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kFile = "guard-trace";
constexpr std::string_view kNewFile = "guard-trace.new";
constexpr std::size_t kBytesMax = 8'192;
constexpr int kDeathLimitMs = 5'000;

std::string boot_id() {
  return read_small("/proc/sys/kernel/random/boot_id", kBytesMax).value_or("-\n");
}

// NAME=PID.START
std::optional<ProcessStat> guard_of(const GuardTrace& trace) {
  const auto equals = trace.mark.find('=');
  const auto dot = trace.mark.find('.');
  if (equals == std::string::npos || dot == std::string::npos || dot < equals) {
    return std::nullopt;
  }
  const auto pid = parse_number(trace.mark.substr(equals + 1, dot - equals - 1),
                                std::numeric_limits<pid_t>::max());
  const auto start =
      parse_number(trace.mark.substr(dot + 1), std::numeric_limits<std::uint64_t>::max());
  const auto stat = pid ? read_process_stat(static_cast<pid_t>(*pid)) : std::nullopt;
  const bool is_it = stat && start && stat->start == *start && stat->state != 'Z';
  return is_it ? stat : std::nullopt;
}

}  // namespace

// Not synced: after a crash of the machine there is no guard.
Result<void> leave_trace(const std::filesystem::path& directory, const GuardTrace& trace) {
  if (read_trace(directory) == trace) {
    return {};
  }
  std::ofstream file(directory / kNewFile);
  file << boot_id() << trace.mark << '\n' << trace.group << '\n';
  file.close();
  std::error_code why;
  if (file) {
    std::filesystem::rename(directory / kNewFile, directory / kFile, why);
  }
  if (!file || why) {
    return fail(Errc::io, (directory / kFile).native() +
                              " cannot be written; see whether the disk is full or read-only");
  }
  return {};
}

void forget_trace(const std::filesystem::path& directory, const std::string& mark) {
  const auto trace = read_trace(directory);
  if (trace && (mark.empty() || trace->mark == mark)) {
    std::error_code ignored;
    std::filesystem::remove(directory / kFile, ignored);
  }
}

std::optional<GuardTrace> read_trace(const std::filesystem::path& directory) {
  const auto text = read_small(directory / kFile, kBytesMax);
  const std::string boot = boot_id();
  if (!text || !text->starts_with(boot)) {
    return std::nullopt;
  }
  const auto mark_end = text->find('\n', boot.size());
  const auto group_end = mark_end == std::string::npos ? mark_end : text->find('\n', mark_end + 1);
  if (group_end == std::string::npos) {
    return std::nullopt;
  }
  return GuardTrace{.mark = text->substr(boot.size(), mark_end - boot.size()),
                    .group = text->substr(mark_end + 1, group_end - mark_end - 1)};
}

std::vector<ProcessStat> processes_of(const GuardTrace& trace) {
  const auto guard = guard_of(trace);
  return guard ? processes_below(guard->pid, nullptr) : std::vector<ProcessStat>{};
}

bool kill_guard(const GuardTrace& trace) {
  const auto guard = guard_of(trace);
  if (!guard) {
    return true;
  }
  const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, guard->pid, 0)));
  if (!guard_of(trace)) {  // the number was somebody else's by then, perhaps
    return true;
  }
  ::syscall(SYS_pidfd_send_signal, handle.get(), SIGKILL, nullptr, 0);
  pollfd end{.fd = handle.get(), .events = POLLIN, .revents = 0};
  return ::poll(&end, 1, kDeathLimitMs) == 1;
}

}  // namespace dexlock
