// The processes of a package: all that its commands have started, below the process that guards it
// and in the control group that they are born in, where there may be one.
//
// Threads: one.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "process/cgroup.hpp"
#include "process/process_stat.hpp"

namespace dexlock {

class PackageTree {
 public:
  // Of this process, which becomes heir of what loses its parent below it.
  [[nodiscard]] static PackageTree make();
  // What another guard has left: by its control group, if it had one, and by its mark; and what is
  // below these, for whoever has thrown its environment away.
  [[nodiscard]] static PackageTree left_by(std::string mark, std::string group,
                                           std::vector<ProcessStat> heads = {});

  // NAME=VALUE in the environment of each process: no other guard has the same.
  [[nodiscard]] const std::string& mark() const { return mark_; }
  [[nodiscard]] std::string group_path() const { return group_ ? group_->path() : std::string(); }
  [[nodiscard]] const Cgroup* group() const { return group_ ? &*group_ : nullptr; }

  [[nodiscard]] std::vector<ProcessStat> processes() const;
  // SIGKILL to all of it; what was just starting something may have to be killed again. False:
  // nothing was there.
  bool kill() const;

 private:
  PackageTree(std::string mark, std::optional<Cgroup> group, pid_t root,
              std::vector<ProcessStat> heads = {})
      : mark_(std::move(mark)), group_(std::move(group)), root_(root), heads_(std::move(heads)) {}

  std::string mark_;
  std::optional<Cgroup> group_;
  pid_t root_;  // 0: it is gone
  std::vector<ProcessStat> heads_;
};

}  // namespace dexlock
