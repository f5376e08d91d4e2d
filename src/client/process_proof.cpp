#include "client/process_proof.hpp"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <limits>

#include "lock/fields.hpp"
#include "store/machine.hpp"
#include "system/namespace_number.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {
namespace {

constexpr std::size_t kRealmBytesMax = 64;

bool is_realm_word(std::string_view text) {
  return !text.empty() && text.size() <= kRealmBytesMax && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

// kill() would do, but for EPERM of another user's process: that is an answer here, too.
int probe(pid_t pid) {
  const UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  return fd.get() >= 0 ? 0 : errno;
}

// Another namespace's /proc shows other processes under the same numbers.
bool shows_this_namespace() {
  const auto own = read_own_stat();
  return own && own->pid == ::getpid();
}

}  // namespace

ProcessView view_of_processes() {
  std::string boot;
  std::ranges::copy_if(machine_boot_id(), std::back_inserter(boot),
                       [](char c) { return c != '-'; });
  // Start times are told by the clock of the reader's time namespace.
  std::string space = pid_namespace();
  if (const std::string time = namespace_number("time"); space != "0" && !time.empty()) {
    space += 't' + time;
  }
  const auto stat = [shown = shows_this_namespace()](pid_t pid) {
    return shown ? read_process_stat(pid) : std::nullopt;
  };
  return {.boot = boot, .pid_namespace = space, .probe = probe, .stat = stat};
}

std::string mark_text(const ProcessMark& mark) {
  return fmt::format("{}-{}-{}-{}", mark.boot, mark.pid_namespace, mark.pid, mark.start);
}

std::optional<ProcessMark> parse_mark(std::string_view text) {
  const auto parts = split_fields(text, '-', 4);
  if (!parts || parts->size() != 4 || !is_realm_word((*parts)[0]) || !is_realm_word((*parts)[1])) {
    return std::nullopt;
  }
  const auto pid = parse_number((*parts)[2], std::numeric_limits<pid_t>::max());
  const auto start = parse_number((*parts)[3], std::numeric_limits<std::int64_t>::max());
  if (!pid || *pid == 0 || !start) {
    return std::nullopt;
  }
  return ProcessMark{.boot = std::string((*parts)[0]),
                     .pid_namespace = std::string((*parts)[1]),
                     .pid = static_cast<pid_t>(*pid),
                     .start = *start};
}

std::optional<ProcessMark> own_mark(const ProcessView& view) {
  const auto stat = view.stat(::getpid());
  if (!stat || view.boot.empty()) {
    return std::nullopt;
  }
  return ProcessMark{.boot = view.boot,
                     .pid_namespace = view.pid_namespace,
                     .pid = stat->pid,
                     .start = stat->start};
}

// A namespace's number can be used again only when the namespace has ended, and all its processes
// with it.
bool is_proven_gone(const ProcessMark& mark, const ProcessView& view) {
  if (mark.boot.empty() || mark.boot != view.boot || mark.pid_namespace == "0" ||
      mark.pid_namespace != view.pid_namespace || mark.pid <= 0) {
    return false;
  }
  const int seen = view.probe(mark.pid);
  if (seen != 0) {
    return seen == ESRCH;
  }
  const auto stat = view.stat(mark.pid);
  return stat && stat->start != mark.start;
}

}  // namespace dexlock
