#include "client/owner.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string_view>

#include "client/process_proof.hpp"
#include "client/program_role.hpp"
#include "lock/quoted_text.hpp"
#include "process/process_stat.hpp"
#include "store/machine.hpp"
#include "system/namespace_number.hpp"

namespace dexlock {
namespace {

// More than any chain of subshells and wrappers; a bound because the chain is read while it
// changes.
constexpr int kAncestorsMax = 1000;
constexpr int kLooksMax = 10;  // at a process that calls exec at the same moment

std::unexpected<Error> no_owner(std::string_view why) {
  return fail(Errc::bad_argument,
              fmt::format("this call has no owner: {}; set DEXLOCK_OWNER (or --owner) to a name "
                          "that only this job uses, or use dex-lock run",
                          why));
}

std::string process_text(const ProcessStat& process) {
  return fmt::format("process {} {}", process.pid, quoted_text(process.command));
}

// Boot and pid namespace: where and as long as a pid means something.
Result<std::string> realm_text() {
  std::string boot;
  std::ranges::copy_if(machine_boot_id(), std::back_inserter(boot), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  });
  if (boot.empty()) {
    return fail(Errc::io,
                "the kernel's boot id cannot be read; is /proc mounted? use dex-lock run");
  }
  return boot + "-" + pid_namespace();
}

bool is_same_process(const ProcessStat& a, const ProcessStat& b) {
  return a.pid == b.pid && a.start == b.start;
}

struct Ancestor {
  ProcessStat stat;
  ProgramRole role{};
};

std::string invisible_text(pid_t pid) {
  const bool is_alive = ::kill(pid, 0) == 0 || errno == EPERM;
  return is_alive ? fmt::format("its caller, process {}, is hidden in /proc", pid)
                  : "its caller has ended meanwhile";
}

// The parent of `child`. Everything is read between two looks at `child` that show the same parent,
// so no process that got the pid of a dead parent can slip in.
Result<Ancestor> parent_of(const ProcessStat& child) {
  for (int look = 0; look < kLooksMax; ++look) {
    const auto parent = read_process_stat(child.parent);
    if (!parent) {
      return no_owner(invisible_text(child.parent));
    }
    const auto role = role_of(read_program(parent->pid, parent->command));
    const auto parent_again = read_process_stat(child.parent);
    const auto child_again = read_process_stat(child.pid);
    if (!child_again || !is_same_process(*child_again, child) ||
        child_again->parent != child.parent) {
      return no_owner("its caller has ended meanwhile");
    }
    if (parent_again && is_same_process(*parent_again, *parent) &&
        parent_again->flags == parent->flags && parent_again->command == parent->command) {
      return Ancestor{.stat = *parent, .role = role};
    }
  }
  return no_owner("its caller keeps changing");
}

// fork copies the session and only setsid changes it, to one's own pid. A child in a session that
// is neither its parent's nor its own was left behind by a process that has ended.
bool is_adopted(const ProcessStat& child, const ProcessStat& parent) {
  return child.session != parent.session && child.session != child.pid;
}

Result<ProcessStat> calling_program() {
  auto child = read_own_stat();
  if (!child || child->pid != ::getpid()) {
    return no_owner("/proc does not show this process");
  }
  for (int depth = 0; depth < kAncestorsMax; ++depth) {
    if (child->parent <= 1) {
      return no_owner(child->parent == 1
                          ? "its caller has ended meanwhile or is pid 1, which starts many jobs"
                          : "its caller is outside this pid namespace");
    }
    const auto parent = parent_of(*child);
    if (!parent) {
      return std::unexpected(parent.error());
    }
    const ProcessStat& stat = parent->stat;
    if (is_adopted(*child, stat)) {
      return no_owner(
          fmt::format("its caller has ended meanwhile ({} adopted it)", process_text(stat)));
    }
    if ((stat.flags & kKernelThread) != 0) {
      return no_owner("the kernel started it");
    }
    const bool was_started_by_exec = (stat.flags & kForkedWithoutExec) == 0;
    if (was_started_by_exec && parent->role == ProgramRole::starter) {
      return no_owner(fmt::format("{} starts jobs for many", process_text(stat)));
    }
    if (was_started_by_exec && parent->role == ProgramRole::ordinary) {
      return stat;
    }
    child = stat;
  }
  return no_owner(fmt::format("more than {} processes stand above it", kAncestorsMax));
}

Result<OwnerIdentity> named_owner(const std::string& name, const std::string& realm) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._:@/+-").contains(c);
  };
  if (name.empty() || name.size() > kOwnerNameBytesMax || !std::ranges::all_of(name, is_allowed)) {
    return fail(Errc::bad_argument,
                fmt::format("owner name {} is refused: use 1 to {} letters, digits and . _ : @ / "
                            "+ - in DEXLOCK_OWNER or --owner",
                            quoted_text(name), kOwnerNameBytesMax));
  }
  std::string file_name = name;
  std::ranges::replace(file_name, '/', ',');  // a comma is never in a name, so two stay two
  const pid_t caller = ::getppid();
  const auto stat = read_process_stat(caller);
  return OwnerIdentity{.key = fmt::format("env-{}-{}-{}", realm, ::geteuid(), file_name),
                       .shown = fmt::format("owner {}", quoted_text(name)),
                       .command = stat ? stat->command : name,
                       .pid = caller};
}

}  // namespace

Result<OwnerIdentity> find_owner(const std::optional<std::string>& given) {
  const auto realm = realm_text();
  if (!realm) {
    return std::unexpected(realm.error());
  }
  if (given) {
    return named_owner(*given, *realm);
  }
  const auto program = calling_program();
  if (!program) {
    return std::unexpected(program.error());
  }
  return OwnerIdentity{.key = fmt::format("pid-{}-{}-{}", *realm, program->pid, program->start),
                       .shown = process_text(*program),
                       .command = program->command,
                       .pid = program->pid};
}

}  // namespace dexlock
