// The changes of a package's state on this host: a line in the log each, and a command of the
// user's for each, one after the other.
//
// Threads: one.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "failover/children.hpp"
#include "failover/job.hpp"
#include "failover/package_tree.hpp"
#include "package/package_state.hpp"

namespace dexlock {

// In the environment of these commands.
inline constexpr std::string_view kEventMark = "DEXLOCK_EVENT=1";

class EventLog {
 public:
  EventLog(std::string package, std::string host, Children& children)
      : package_(std::move(package)),
        host_(std::move(host)),
        children_(children),
        tree_(PackageTree::left_by(std::string(kEventMark), "")) {}

  // `command`: for /bin/sh; empty: none.
  void add(PackageState from, PackageState to, const std::string& error,
           const std::string& command);
  void go_on();
  // Waits until all are done; each has its limit.
  void finish();
  [[nodiscard]] int end_fd() const { return job_ ? job_->end_fd() : -1; }
  [[nodiscard]] int output_fd() const { return job_ ? job_->output_fd() : -1; }
  [[nodiscard]] std::optional<std::chrono::nanoseconds> next_time() const {
    return job_ ? std::optional(job_->deadline()) : std::nullopt;
  }

 private:
  std::string package_;
  std::string host_;
  Children& children_;
  PackageTree tree_;
  std::deque<Step> waiting_;
  std::optional<Job> job_;
};

}  // namespace dexlock
