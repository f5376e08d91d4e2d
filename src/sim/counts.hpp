// What happened how often: a run in which nothing happened proves nothing.
//
// Threads: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace dexlock::sim {

enum class Seen : std::size_t {
  events,
  requests,
  replies,
  grants,
  renewals,
  releases,
  losses,
  busy,
  no_quorum,
  closed,
  evictions_sent,
  evictions,
  chosen,
  promises,
  promises_unsynced,
  promises_lost,
  accepts,
  fast_votes,
  fast_chosen,
  beats_taken,
  beats_fenced,
  beats_behind,
  beats_gone,
  victims_alive,
  machine_crashes,
  process_restarts,
  writes_failed,
  cuts,
  kills,
  pauses,
  suspends,
  reboots,
  calls,
  files_lost,
  files_torn,
  work_stopped_by_guard,
  overlaps,
  inherited,
  told_chosen,
  check_gave_up,
  pushes,
  records_torn,
  clock_jumps,
  forming_runs,
  groups_active,
  stores_wiped,
  forming_refusals,
  forming_votes,
  forming_majorities,
  packages_started,
  packages_found,
  etcd_transactions,
  etcd_changes,
  etcd_races_lost,
  etcd_unanswered,
  etcd_late,
  etcd_elections,
  etcd_keys_expired,
  etcd_restores,
  etcd_refusals,
  etcd_streams_lost,
  etcd_records_made,
  etcd_records_removed,
  count,
};

inline constexpr std::array<const char*, static_cast<std::size_t>(Seen::count)> kSeenNames{
    "events",
    "requests",
    "replies",
    "grants",
    "renewals",
    "releases",
    "losses",
    "busy",
    "no-quorum",
    "closed",
    "evictions-sent",
    "evictions",
    "chosen",
    "promises",
    "promises-unsynced",
    "promises-lost",
    "accepts",
    "fast-votes",
    "fast-chosen",
    "beats-taken",
    "beats-fenced",
    "beats-behind",
    "beats-gone",
    "victims-alive",
    "machine-crashes",
    "restarts",
    "writes-failed",
    "cuts",
    "kills",
    "pauses",
    "suspends",
    "reboots",
    "calls",
    "files-lost",
    "files-torn",
    "stopped-by-guard",
    "overlaps",
    "inherited",
    "told-chosen",
    "check-gave-up",
    "pushes",
    "records-torn",
    "clock-jumps",
    "forming-runs",
    "groups-active",
    "stores-wiped",
    "forming-refusals",
    "forming-votes",
    "forming-majorities",
    "packages-started",
    "packages-found",
    "etcd-transactions",
    "etcd-changes",
    "etcd-races-lost",
    "etcd-unanswered",
    "etcd-late",
    "etcd-elections",
    "etcd-keys-expired",
    "etcd-restores",
    "etcd-refusals",
    "etcd-streams-lost",
    "etcd-records-made",
    "etcd-records-removed"};

class Counts {
 public:
  void add(Seen what, std::uint64_t times = 1) { at(what) += times; }
  [[nodiscard]] std::uint64_t of(Seen what) const {
    return counts_[static_cast<std::size_t>(what)];
  }
  void add_all(const Counts& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      counts_[i] += other.counts_[i];
    }
  }
  [[nodiscard]] std::string text() const {
    std::string out;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      out += (i == 0 ? "" : " ") + std::string(kSeenNames[i]) + '=' + std::to_string(counts_[i]);
    }
    return out;
  }

 private:
  std::uint64_t& at(Seen what) { return counts_[static_cast<std::size_t>(what)]; }

  std::array<std::uint64_t, static_cast<std::size_t>(Seen::count)> counts_{};
};

}  // namespace dexlock::sim
