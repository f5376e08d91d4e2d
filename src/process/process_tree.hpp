// The processes below one: its children, theirs, and so on, as /proc shows them. Below a child
// subreaper (PR_SET_CHILD_SUBREAPER) nothing escapes: what loses its parent becomes its child.
//
// Threads: any.
#pragma once

#include <sys/types.h>

#include <functional>
#include <set>
#include <vector>

#include "process/cgroup.hpp"
#include "process/process_stat.hpp"

namespace dexlock {

// All of this machine that this process may see.
[[nodiscard]] std::vector<ProcessStat> all_processes();

// Those that have not ended, and what else is in `group`, if there is one; not the children
// of `root` that are to spare, nor what is below these: asked for when all have been seen.
[[nodiscard]] std::vector<ProcessStat> processes_below(
    pid_t root, const Cgroup* group, const std::function<std::set<pid_t>()>& to_spare = {});

// To each of them, and to nobody who has got its number since.
void signal_each(const std::vector<ProcessStat>& processes, int signal);

}  // namespace dexlock
