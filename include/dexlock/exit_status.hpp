// What the commands tell by their exit status. One table: help, manual and tests read it.
//
// Threads: constants.
#pragma once

#include <array>
#include <string_view>

namespace dexlock {

enum class ExitStatus : int {
  ok = 0,
  not_held = 1,
  usage = 64,
  damaged = 74,
  not_permitted = 77,
  configuration = 78,
  lost = 121,
  lost_late = 122,
  ran_too_long = 123,
  not_acquired = 124,
  failed = 125,
  not_executable = 126,
  not_found = 127,
};

struct ExitStatusText {
  ExitStatus status;
  std::string_view commands;
  std::string_view meaning;
};

inline constexpr std::array kExitStatuses{
    ExitStatusText{ExitStatus::ok, "all", "done; get-lock: held; run: the command's own status"},
    ExitStatusText{
        ExitStatus::not_held,
        "get-lock, release-lock, init-lock, remaining, break, hold, handover, migrate",
        "get-lock: wait, or lost; release-lock: not confirmed; init-lock: no majority; "
        "remaining: too little; break, hold, handover, migrate: refused, or not confirmed"},
    ExitStatusText{ExitStatus::not_held, "status, list, history, doctor",
                   "no majority of lock servers; doctor: something fails"},
    ExitStatusText{ExitStatus::not_held, "failover",
                   "not so in time, or no majority; run: another supervisor is here"},
    ExitStatusText{ExitStatus::usage, "all", "wrong arguments; nothing was sent"},
    ExitStatusText{ExitStatus::damaged, "all but run, guard",
                   "a damaged store, or the system refused"},
    ExitStatusText{ExitStatus::not_permitted, "all but run, guard",
                   "the lock servers do not permit it, or are not who they should be"},
    ExitStatusText{ExitStatus::configuration, "all but run, guard",
                   "the configuration must be corrected"},
    ExitStatusText{ExitStatus::lost, "run, guard",
                   "the lock was lost; the command was stopped in time, or not started"},
    ExitStatusText{ExitStatus::lost_late, "run", "the lock was lost; the command stopped too late"},
    ExitStatusText{ExitStatus::ran_too_long, "run", "--max-run was over; the command was stopped"},
    ExitStatusText{ExitStatus::not_acquired, "run, guard",
                   "not acquired in time, or --try and busy; guard: another one is at work"},
    ExitStatusText{ExitStatus::failed, "run, guard", "dex-lock itself failed"},
    ExitStatusText{ExitStatus::not_executable, "run, guard", "the command could not be run"},
    ExitStatusText{ExitStatus::not_found, "run, guard", "the command was not found"},
};

}  // namespace dexlock
